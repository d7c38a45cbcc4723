"""Why a film: what a person's ratings add to its score, and what films have in common.

The parts of an explanation come from the same sums that make the score, so they add up to it. The
methods of `Recommender` with the same names say what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.models.newcomers import new_user
from movierec.models.watching import star_weights
from movierec.recommend.people import Person, known_attributes
from movierec.vectors import Vectors

if TYPE_CHECKING:
    from movierec.recommend.recommender import Recommender


class Parts(NamedTuple):
    """What a film's score is the sum of, for one person.

    Attributes:
        rated: (n,) rows of the films that count.
        given: (n,) stars given to them.
        stars: (n,) what each adds to the predicted stars.
        rest: what is there without ratings and, for a user of the data, what the training knows
            beyond them, in predicted stars.
        watching, watching_rest: the same for how likely the film is to be watched, where the run
            knows that.
    """

    rated: npt.NDArray[np.int32]
    given: npt.NDArray[np.float32]
    stars: npt.NDArray[np.floating]
    rest: list[float]
    watching: npt.NDArray[np.floating] | None
    watching_rest: list[float]


class Ground(NamedTuple):
    """What every explanation for a person starts from.

    Attributes:
        rated: (n,) rows of the films that count.
        given: (n,) stars given to them.
        base, parts: see `newcomers.NewUser`; for a user of the data, of the new user that the same
            ratings would make.
    """

    rated: npt.NDArray[np.int32]
    given: npt.NDArray[np.float32]
    base: Vectors
    parts: Vectors


def ground_of(rec: Recommender, person: Person) -> Ground:
    """Work out what does not depend on the film that is explained.

    Raises:
        InputError: a run that was not made for newcomers.
    """
    if person.user_idx is None:
        assert person.base is not None  # a new person has both
        assert person.parts is not None
        return Ground(person.rated, person.stars, person.base, person.parts)
    # only what the training has seen can have moved the trained vector
    rated, given = rec.seen(person.user_idx, learned_only=True)
    attributes = known_attributes(rec.features, person.user_idx)
    like = new_user(rec.need_newcomers(), rec.movie_vectors, attributes, rated, given)
    return Ground(rated, given, like.base, like.parts)


def parts_of(rec: Recommender, person: Person, movie_idx: int, ground: Ground) -> Parts:
    """The parts of a film's score, which add up to it.

    Args:
        rec: the recommender.
        person: for whom.
        movie_idx: the film's row.
        ground: the person's.
    """
    film = rec.films[movie_idx].astype(np.float64)
    rated, given, base, parts = ground
    stars = parts @ film
    rest = [film @ base, film @ person.vector - film @ base - stars.sum()]
    known = 1 if person.user_idx is None else 2  # to a new person nothing is left but rounding
    watching, watching_rest = None, []
    if rec.watching and person.profile is not None:
        *meets, popular = rec.watched[movie_idx]
        watching = star_weights(given) * (rec.watching.movies[rated] @ meets)
        watching_rest = [person.popular * popular, person.profile @ meets - watching.sum()]
    return Parts(rated, given, stars, rest[:known], watching, watching_rest[:known])


def explain(rec: Recommender, person: Person, movie_id: int) -> pd.DataFrame:
    """The parts of a film's score as a table; see `Recommender.explain`."""
    movie_idx = int(rec.features.movies.encode([movie_id])[0])
    parts = parts_of(rec, person, movie_idx, ground_of(rec, person))
    names = ["what is there without ratings", "what the training knows beyond these ratings"]
    rest = pd.DataFrame({"title": names[: len(parts.rest)], "stars": parts.rest})
    frame = rec.describe(parts.rated)[["movie_id", "title"]]
    frame = frame.assign(rating=parts.given, stars=parts.stars)
    if parts.watching is not None:
        frame["watching"], rest["watching"] = parts.watching, parts.watching_rest
    frame = frame.sort_values("stars", key=np.abs, ascending=False, kind="stable")
    frame["movie_id"] = frame["movie_id"].astype("Int64")
    return pd.concat([rest, frame], ignore_index=True)[list(frame.columns)]


def because(rec: Recommender, person: Person, movie_ids: npt.ArrayLike, count: int) -> list[str]:
    """The parts that count most in words, for each film; see `Recommender.because`."""
    movie_idx = rec.features.movies.encode(np.atleast_1d(movie_ids))
    ground = ground_of(rec, person)
    return [_said(rec, parts_of(rec, person, int(film), ground), count) for film in movie_idx]


def _said(rec: Recommender, parts: Parts, count: int) -> str:
    speaks, weight = parts.stars > 0, parts.stars
    if parts.watching is not None:
        # what was watched and disliked makes a film likely to be watched, and is no praise of it
        speaks = (parts.watching > 0) & (parts.given >= (rec.lowest + rec.highest) / 2)
        weight = parts.watching
    most = np.argsort(-weight, kind="stable")
    most = most[speaks[most]][:count]
    least = np.argsort(parts.stars, kind="stable")[:1]
    least = least[(parts.stars[least] < 0) & ~np.isin(least, most)]
    titles = rec.describe(parts.rated[[*most, *least]])["title"]
    given = parts.given[[*most, *least]]
    said = [
        f"{title} {stars:g} {'star' if stars == 1 else 'stars'}"
        for title, stars in zip(titles, given, strict=True)
    ]
    text = f"because you gave {' and '.join(said[: len(most)])}" if len(most) else ""
    if len(least):
        text += f"{', though' if text else 'though you gave'} {said[-1]}"
    return text


def shared(rec: Recommender, movie_id: int, other_id: int) -> dict[str, Any]:
    """What two films have in common; see `Recommender.shared`."""
    features = rec.features
    first, second = features.movies.encode([movie_id, other_id])
    raters = rec.raters(int(first)), rec.raters(int(second))
    both = np.intersect1d(*raters, assume_unique=True)
    fields = features.movie_fields
    genres = np.intersect1d(fields["genres"][first], fields["genres"][second])
    words = np.intersect1d(fields["title"][first], fields["title"][second])
    return {
        "likeness": float(rec.likeness(int(first))[second]),
        "raters": len(both),
        "expected": len(raters[0]) * len(raters[1]) / len(features.users.used),
        "genres": [features.genres[genre] for genre in genres if genre],
        "words": [features.words[word] for word in words if word],
    }
