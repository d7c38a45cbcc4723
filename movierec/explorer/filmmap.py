"""A map of films: their vectors in two dimensions, coloured by genre, as an SVG picture.

Films that resemble each other (as in `Recommender.similar`) lie near each other as far as a plane
allows: the coordinates are the two directions in which the vectors of resemblance differ most.

Reference:
    Jolliffe (2002), Principal Component Analysis, chapter 3.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt
from scipy.sparse.linalg import svds

from movierec.data.tables import Tables
from movierec.data.titles import spoken_title
from movierec.explorer.cards import genre_colour
from movierec.recommend.recommender import Recommender

WIDTH, HEIGHT = 1000, 640  # units of the picture
MARGIN = 24
SHOWN_GENRES = 10  # that have a colour on the map; the others share grey
BRIGHT = 50  # percent of lightness: seen on light and on dark ground
LABEL = 28  # characters of a title on the map


@dataclass(frozen=True)
class FilmMap:
    """Films in a plane.

    Attributes:
        movie_ids: (n,).
        points: (n, 2), within `WIDTH` and `HEIGHT`.
        genres: names of the genres that have a colour, the most frequent first.
        svg: the picture, with an empty layer of the class `mr-marks`.
    """

    movie_ids: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    genres: list[str]
    svg: str

    def marks(
        self,
        current: int | None = None,
        neighbours: Sequence[int] = (),
        own: Sequence[int] = (),
        titles: dict[int, str] | None = None,
    ) -> str:
        """The layer of marks: lines from the current film to its neighbours, rings, titles.

        Args:
            current: id of the film in question.
            neighbours: ids of films like it.
            own: ids of the visitor's films.
            titles: by id, written beside the current film and its neighbours.
        """
        place = {
            int(movie): (x, y) for movie, (x, y) in zip(self.movie_ids, self.points, strict=True)
        }
        names, parts = titles or {}, []
        if current in place:
            x, y = place[current]
            for film in neighbours:
                to_x, to_y = place.get(film, (x, y))
                parts.append(
                    f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{to_x:.0f}" y2="{to_y:.0f}" '
                    'stroke="currentColor" stroke-opacity=".35"/>'
                )
        here = [] if current is None else [current]
        for films, kind in ((own, "own"), (neighbours, "near"), (here, "here")):
            parts += [self._mark(*place[film], kind) for film in films if film in place]
        taken: list[tuple[float, float, float]] = []
        for film in [*here, *neighbours]:
            if film in place and film in names:
                parts.append(_label(*place[film], names[film], film == current, taken))
        return "".join(parts)

    @staticmethod
    def _mark(x: float, y: float, kind: str) -> str:
        if kind == "own":  # a square, so that colour is not all that tells it
            return (
                f'<rect x="{x - 6:.0f}" y="{y - 6:.0f}" width="12" height="12" fill="none" '
                'stroke="currentColor" stroke-width="2.5"/>'
            )
        radius, width = (11, 4) if kind == "here" else (7, 2.5)
        return (
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius}" fill="none" stroke="currentColor" '
            f'stroke-width="{width}"/>'
        )


# with the tables that it shows: films and ratings can be added to a recommender
_MADE: weakref.WeakKeyDictionary[Recommender, tuple[Tables, FilmMap]] = weakref.WeakKeyDictionary()


def film_map(recommender: Recommender) -> FilmMap:
    """Lay out all films that somebody has rated; a fraction of a second, once for its data."""
    made = _MADE.get(recommender)
    if made is None or made[0] is not recommender.tables:
        made = _MADE[recommender] = recommender.tables, _laid_out(recommender)
    return made[1]


def _laid_out(recommender: Recommender) -> FilmMap:
    features = recommender.features
    movie_idx = features.movies.used[recommender.rated_counts[features.movies.used] > 0]
    points = _plane(recommender.near[movie_idx])
    slots = features.movie_fields["genres"][movie_idx]
    counts = np.bincount(slots[slots > 0], minlength=len(features.genres))
    shown = [int(n) for n in np.argsort(-counts, kind="stable")[:SHOWN_GENRES] if counts[n]]
    # of a film's genres the rarest says most: nearly every second film is a drama or a comedy
    rarity = np.where(slots > 0, counts[slots], np.iinfo(np.int64).max)
    rarity = np.where(np.isin(slots, shown), rarity, np.iinfo(np.int64).max)
    first = np.take_along_axis(slots, rarity.argmin(axis=1)[:, None], axis=1)[:, 0]
    first = np.where(np.isin(first, shown), first, 0)
    layers = []
    for number in [0, *shown]:
        dots = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in points[first == number])
        if dots:
            layers.append(
                f'<path d="{dots}" stroke="{genre_colour(number, BRIGHT)}" stroke-width="6" '
                'stroke-linecap="round" stroke-opacity=".75"/>'
            )
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg">'
        f'{"".join(layers)}<g class="mr-marks"></g></svg>'
    )
    names = [features.genres[n] for n in shown]
    return FilmMap(features.movies.decode(movie_idx), points, names, svg)


def legend(recommender: Recommender, film_map: FilmMap) -> str:
    """What the colours are, as a list."""
    genres = recommender.features.genres
    entries = [(name, genre_colour(genres.index(name), BRIGHT)) for name in film_map.genres]
    entries.append(("other", genre_colour(0, BRIGHT)))
    return (
        '<ul class="mr-legend" aria-label="Colours of the genres">'
        + "".join(f'<li><i style="background: {c}"></i>{escape(name)}</li>' for name, c in entries)
        + "</ul>"
    )


def _plane(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The two leading principal components, filling the picture; float64 (n, 2)."""
    centred = vectors - vectors.mean(axis=0)
    if min(centred.shape) > 2:
        start = np.ones(min(centred.shape), dtype=centred.dtype)
        left, strength, _ = svds(centred, k=2, v0=start)
        plane = (left * strength)[:, ::-1].astype(np.float64)
    else:
        plane = np.pad(centred, ((0, 0), (0, 2)))[:, :2].astype(np.float64)
    # the sign of a direction is chance: the side with the longer tail is right, and below
    plane *= np.where(np.abs(plane.max(axis=0)) >= np.abs(plane.min(axis=0)), 1, -1)
    low, high = plane.min(axis=0), plane.max(axis=0)
    place = (plane - low) / np.where(high > low, high - low, 1)
    return MARGIN + place * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN)


def _label(
    x: float, y: float, title: str, current: bool, taken: list[tuple[float, float, float]]
) -> str:
    """A title beside its film, moved down while it would stand on another."""
    text = spoken_title(title)
    text = text if len(text) <= LABEL else text[: LABEL - 1] + "…"
    size = 18 if current else 14
    length = 0.56 * size * len(text)
    left = x + 14 if x + 14 + length < WIDTH else x - 14 - length
    below = y + 5
    while any(
        abs(below - other) < 16 and left < end and begin < left + length
        for begin, end, other in taken
    ):
        below += 16
    taken.append((left, left + length, below))
    return (
        f'<text x="{left:.0f}" y="{below:.0f}" font-size="{size}" fill="currentColor" '
        f'font-weight="{700 if current else 400}" class="mr-map-title{" mr-map-here" * current}">'
        f"{escape(text)}</text>"
    )
