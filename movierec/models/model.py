"""All that a recommendation is worked out from, by row numbers: the two halves of a run.

What a person would *like* (stars) and what they would *watch* are two questions, and a list needs
both. A recipe answers the first in its own way; the second, and what gives newcomers their vectors,
are learned here, the same for every recipe.

| half | a person's row | a film's row | their product |
| --- | --- | --- | --- |
| stars | `users`, d + 2 | `films`, d + 2 | the predicted stars, before they are clipped |
| watching | `watching.profiles`, r + 1 | `watching.watched`, r + 1 | how likely it is watched |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.errors import InputError
from movierec.models.newcomers import SIZES, Newcomers, learn_newcomers
from movierec.models.recipe import Trained
from movierec.models.watching import Watching, fit_watching
from movierec.vectors import Rows, Vectors


class Model(NamedTuple):
    """The two halves, and what gives newcomers their rows."""

    users: Vectors  # (user rows, d + 2); the last two columns as in `newcomers`
    films: Vectors  # (movie rows, d + 2)
    watching: Watching  # profiles of all users, and what all films are watched with
    newcomers: Newcomers  # what is known before a user or a film has ratings


def complete(trained: Trained, features: Features, learned: Rows, given: Rows, seed: int) -> Model:
    """The model of a run, from what a recipe has trained and the ratings that it was given.

    Args:
        trained: by any recipe.
        features: the encodings.
        learned: the ratings that the recipe has learned from.
        given: these and the validation ratings, which choose nothing in the watching half and so
            are learned from there.
        seed: see `newcomers.learn_newcomers`.

    Raises:
        InputError: vectors that are not finite.
    """
    for side, vectors in (("user", trained.users), ("movie", trained.movies)):
        if not np.isfinite(vectors[~np.isnan(vectors).all(axis=1)]).all():
            raise InputError(
                f"the training ended with {side} vectors that are not finite; nothing was written. "
                "Lower the learning rate, or look for ratings that are out of the usual range"
            )
    known = user_attributes(features), movie_attributes(features)
    newcomers, users, films = learn_newcomers(trained.users, trained.movies, *known, learned, seed)
    return Model(users, films, fit_watching(given, len(users), known[1]), newcomers)


def check_model(model: Model, features: Features) -> None:
    """Refuse a model that does not fit the encodings, or itself.

    Raises:
        InputError: an array of another shape than it must have, or neighbours that are no films.
    """
    users, films = len(features.users), len(features.movies)
    d, r = model.films.shape[-1] - 2, model.watching.watched.shape[-1] - 1
    near = films, model.watching.neighbours.shape[-1]
    people = user_attributes(features, slice(0)).shape[1]
    traits = movie_attributes(features, slice(0)).shape[1]
    expected: Mapping[str, tuple[npt.NDArray[np.number], tuple[int, ...]]] = {
        "users' vectors": (model.users, (users, d + 2)),
        "films' vectors": (model.films, (films, d + 2)),
        "users' profiles": (model.watching.profiles, (users, r + 1)),
        "films' profiles": (model.watching.watched, (films, r + 1)),
        "films' own weights": (model.watching.own, (films,)),
        "films' neighbours": (model.watching.neighbours, near),
        "neighbours' correlations": (model.watching.correlation, near),
        "users' center": (model.newcomers.center, (d,)),
        "users' history": (model.newcomers.history, (films, d)),
        "users' tower": (model.newcomers.tower, (people + 2, d)),
        "covariances": (model.newcomers.covariance, (len(SIZES), d, d)),
        "noise": (model.newcomers.noise, (1,)),
        "users' mean": (model.newcomers.mean, (1,)),
        "films' center": (model.newcomers.movie_center, (d,)),
        "films' tower": (model.newcomers.movie_tower, (traits, d)),
    }
    for kind, (array, shape) in expected.items():
        if array.shape != shape:
            raise InputError(f"the {kind} have shape {array.shape}; expected {shape}")
    stray = (model.watching.neighbours < 0) | (model.watching.neighbours >= films)
    if stray.any():
        raise InputError(f"the films' neighbours name rows that are none of the {films} of films")
