"""Why a film: what a person's ratings add to its score.

The parts of an explanation come from the same sums that make the score, so they add up to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.data.attributes import user_attributes
from movierec.models.model import Model
from movierec.models.newcomers import new_user
from movierec.models.watching import shares
from movierec.recommend.catalogue import Catalogue
from movierec.recommend.people import Person
from movierec.vectors import Indices

BEYOND = "what the training knows beyond these ratings"
WITHOUT = "what is there without ratings"


class Parts(NamedTuple):
    """What the scores of m films are sums of, for one person with n ratings that count."""

    rated: npt.NDArray[np.int32]  # (n,) rows of the rated films
    given: npt.NDArray[np.float32]  # (n,) stars given to them
    stars: npt.NDArray[np.floating]  # (n, m) what each adds to the predicted stars
    watching: npt.NDArray[np.floating]  # (n, m) what each adds to how likely a film is watched
    rest: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]  # (m,) of both, by a phrase


def parts_of(catalogue: Catalogue, model: Model, person: Person, movie_idx: Indices) -> Parts:
    """The parts of the scores of m films, by row, which add up to them."""
    if person.new is not None:
        rated, given, new = person.rated, person.stars, person.new
    else:
        # only what the training has seen can have moved the trained vector
        rated, given = catalogue.seen(person.user_idx, learned_only=True)
        [attributes] = user_attributes(catalogue.features, [person.user_idx])
        new = new_user(model.newcomers, model.films, attributes, rated, given)
    films = model.films[movie_idx].astype(np.float64)
    watched = model.watching.watched[movie_idx]
    stars = new.parts @ films.T
    watching = shares(model.watching, rated, given, movie_idx)
    liked, seen = films @ new.base, person.profile[-1] * watched[:, -1]
    rest = {WITHOUT: (liked, seen)}
    if person.new is None:  # to a new person nothing is left but rounding
        beyond = films @ person.vector - stars.sum(axis=0) - liked
        rest[BEYOND] = beyond, watched @ person.profile - watching.sum(axis=0) - seen
    return Parts(rated, given, stars, watching, rest)


def named_of(
    catalogue: Catalogue, model: Model, person: Person, movie_idx: Indices, count: int = 2
) -> tuple[Parts, list[tuple[Indices, Indices]]]:
    """The parts, and for each of m films which ratings are named as reasons.

    These are places among `Parts.rated`: of those that speak most for the film, at most `count`,
    and of the one most against it, if there is one.
    """
    parts = parts_of(catalogue, model, person, movie_idx)
    # what was watched and disliked makes a film likely to be watched, and is no praise of it
    praised = parts.given >= (catalogue.lowest + catalogue.highest) / 2
    named = []
    for stars, watching in zip(parts.stars.T, parts.watching.T, strict=True):
        most = np.argsort(-watching, kind="stable")
        most = most[(watching > 0)[most] & praised[most]][:count]
        least = [r for r in np.argsort(stars, kind="stable")[:1] if stars[r] < 0 and r not in most]
        named.append((most, np.array(least, np.int32)))
    return parts, named
