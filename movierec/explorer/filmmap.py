"""A map of films: their vectors in two dimensions, and which genre colours each.

Films that the same people watch lie near each other as far as a plane allows: the coordinates are
the two directions in which their vectors (`nearby.near_vectors`) differ most, spread where they
are dense.

Reference:
    Jolliffe (2002), Principal Component Analysis, chapter 3.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from movierec.data.titles import spoken_title
from movierec.explorer.questions import MapOfFilms
from movierec.models.nearby import near_vectors
from movierec.recommend.recommender import Recommender

WIDTH, HEIGHT = 1000, 640  # units of the picture
MARGIN = 24
EVEN = 0.6  # how far room is shared evenly: 0, places as they come; 1, by rank alone
GENRES = 7  # that have a colour; the others share one


def film_map(recommender: Recommender) -> MapOfFilms:
    """Lay out all films that somebody has rated, those with most ratings first."""
    features, counts = recommender.features, recommender.rated_counts
    movie_idx = features.movies.used[np.argsort(-counts[features.movies.used], kind="stable")]
    movie_idx = movie_idx[counts[movie_idx] > 0]
    near = near_vectors(recommender.model.watching)
    x, y = np.round(_plane(near[movie_idx])).astype(np.int64).T.tolist()
    slots = features.movie_fields["genres"][movie_idx]
    frequent = np.bincount(slots[slots > 0], minlength=len(features.genres))
    shown = [int(n) for n in np.argsort(-frequent, kind="stable")[:GENRES] if frequent[n]]
    group = np.full(len(features.genres), -1)
    group[shown] = np.arange(len(shown))
    return MapOfFilms(
        width=WIDTH,
        height=HEIGHT,
        groups=[features.genres[n] for n in shown],
        movie_ids=features.movies.decode(movie_idx).tolist(),
        titles=[spoken_title(t) for t in recommender.describe(movie_idx)["title"]],
        x=x,
        y=y,
        # of a film's genres the rarest says most: nearly every second film is a drama or a comedy
        group=group[slots].max(axis=1).tolist(),
    )


def _plane(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The two leading principal components, filling the picture; float64 (n, 2)."""
    centred = np.pad(vectors - vectors.mean(axis=0), ((0, 0), (0, 1)))
    _, directions = np.linalg.eigh(centred.T @ centred)  # the leading ones stand last
    plane = (centred @ directions[:, :-3:-1]).astype(np.float64)
    # the sign of a direction is chance: the side with the longer tail is right, and below
    plane *= np.where(np.abs(plane.max(axis=0)) >= np.abs(plane.min(axis=0)), 1, -1)
    low, high = plane.min(axis=0), plane.max(axis=0)
    place = (plane - low) / np.where(high > low, high - low, 1)
    # most crowd in the middle: what is left of what stays, and the room is shared more evenly
    order = plane.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    place = (1 - EVEN) * place + EVEN * order / max(len(plane) - 1, 1)
    return MARGIN + place * (np.array([WIDTH, HEIGHT]) - 2 * MARGIN)
