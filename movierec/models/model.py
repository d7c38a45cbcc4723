"""All that a recommendation is worked out from, by row numbers: the two halves of a run.

What a person would *like* (stars) and what they would *watch* are two questions, and a list needs
both. A recipe answers the first in its own way; the second, and what gives newcomers their vectors,
are learned here, the same for every recipe. The product of two rows is the stars, before they are
clipped, or how likely the film is watched.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.errors import InputError
from movierec.models.certainty import Certainty, learn_certainty
from movierec.models.nearby import near_features
from movierec.models.newcomers import SIZES, Newcomers, learn_newcomers, left_to_learn
from movierec.models.recipe import Trained
from movierec.models.watching import Watching, fit_watching
from movierec.vectors import Rows, Vectors


class Model(NamedTuple):
    """The two halves, what gives newcomers their rows, and how far off the stars may be."""

    users: Vectors  # (user rows, d + q + 2); the columns behind the d trained as in `newcomers`
    films: Vectors  # (movie rows, d + q + 2)
    watching: Watching  # profiles of all users, and what all films are watched with
    newcomers: Newcomers  # what is known before a user or a film has ratings
    certainty: Certainty


def complete(trained: Trained, features: Features, learned: Rows, chosen: Rows, seed: int) -> Model:
    """The model of a run, from what a recipe has trained and the ratings that it was given.

    Args:
        trained: by any recipe.
        features: the encodings.
        learned: the ratings that the recipe has learned from.
        chosen: the validation ratings. They choose nothing in the watching half and so are learned
            from there; and they tell how far off the stars are, as they are new to them.
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
    users, films = trained.users, trained.movies
    given = Rows(*(np.concatenate(pair) for pair in zip(learned, chosen, strict=True)))
    watching = fit_watching(given, len(users), known[1])
    near = np.zeros((len(films), 0), np.float32)
    if trained.nearby:
        near = near_features(watching, np.bincount(learned.movie_idx, minlength=len(films)))
    newcomers, users, films = learn_newcomers((users, films), known, learned, near, seed)
    certainty = learn_certainty(
        users, films, newcomers, known[1], learned, chosen, trained.leverage
    )
    return Model(users, films, watching, newcomers, certainty)


def new_user_term(model: Model, movie_idx: npt.NDArray[np.integer]) -> float:
    """How uncertain the ratings of a new user are, who has rated these films: see `Certainty`."""
    left = left_to_learn(model.newcomers, model.films, movie_idx)
    return float(np.log1p(np.sum(left * model.certainty.met) / model.certainty.usual[0]))


def check_model(model: Model, features: Features) -> None:
    """Refuse a model that does not fit the encodings, or itself.

    Raises:
        InputError: an array of another shape than it must have, or neighbours that are no films.
    """
    users, films = len(features.users), len(features.movies)
    d, r = model.newcomers.center.shape[-1], model.watching.watched.shape[-1] - 1
    k, width = min(model.watching.unseen.shape[-1], r), max(model.films.shape[-1], d + 2)
    near, knots = (films, model.watching.neighbours.shape[-1]), (model.certainty.knots.size or 1,)
    people, traits = (of(features, slice(0)).shape[1] for of in (user_attributes, movie_attributes))
    history = (d,), (films, d), (people + 2, d), (len(SIZES), d, d), (1,), (1,), (d,), (traits, d)
    watched = (users, r + 1), (films, r + 1), (films,), (k, k), near, near
    doubt = (users,), (films,), (1,), (1,), (d, d), knots, knots, (2,)
    for part, arrays, shapes in (
        ("stars", {"users": model.users, "films": model.films}, ((users, width), (films, width))),
        ("watching", model.watching._asdict(), watched),
        ("newcomers", model.newcomers._asdict(), history),
        ("certainty", model.certainty._asdict(), doubt),
    ):
        for (name, array), shape in zip(arrays.items(), shapes, strict=True):
            if array.shape != shape:
                raise InputError(f"{part}: {name} has shape {array.shape}; expected {shape}")
    rows = model.watching.neighbours
    # those that are not in memory are looked at when they are read
    if isinstance(rows, np.ndarray) and ((rows < 0) | (rows >= films)).any():
        raise InputError(f"the films' neighbours name rows that are none of the {films} of films")
