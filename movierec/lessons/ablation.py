"""What each half of a run is worth, and each part of recipe `best`: without it, beside with it."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from movierec.data.attributes import movie_attributes
from movierec.evaluation.baselines import Baseline
from movierec.evaluation.evaluate import Measured, known_and_held_out, measure_methods
from movierec.models.best import BEST, BestRecipe, fit_ratings
from movierec.models.watching import fit_watching
from movierec.recommend.scorer import join_scores
from movierec.vectors import Indices, Vectors, pair_scores

if TYPE_CHECKING:
    from movierec.runs import Run

SEED = 0  # of the starts
NO_TOWER = 1e12  # a ridge under which a tower says nothing


def measure_halves(run: Run, part: str = "test") -> dict[str, Measured]:
    """The lists of a run of any recipe by each of its halves alone, and by both.

    Returns:
        What was measured, by what films were ordered by; nothing where lists cannot be measured.

    Raises:
        InputError: the run has no such rows.
    """
    scores = run.recommender.scorer.scores
    orders = {"stars alone": 1.0, "watching alone": 0.0, "both": None}
    methods = {
        name: Baseline(scores=partial(scores, liking=liking)) for name, liking in orders.items()
    }
    return measure_methods(run, methods, part)


def measure_parts(run: Run, part: str = "test", best: Run | None = None) -> dict[str, Measured]:
    """Fit recipe `best` part by part on the rows of a run, and measure each step.

    Args:
        run: of any recipe; only its data and its held-out rows are used.
        part: the rows to measure on, as in `evaluation.measure`.
        best: a run of the recipe on the same rows, if there is one: the last three steps are its,
            and are not fitted again.

    Returns:
        What was measured, by what has been added: each step holds those before it. The steps up to
        the members order films by predicted rating; "only what is watched" has no predictions.

    Raises:
        InputError: the run has no such rows.
    """
    fields = {field.name for field in dataclasses.fields(BestRecipe)} - {"name"}
    recipe = (
        BEST
        if best is None
        else dataclasses.replace(BEST, **{name: best.config[name] for name in fields})
    )
    train, _ = known_and_held_out(run, part)
    features = run.features
    steps: dict[str, dict[str, Any]] = {
        "factors and biases": {"members": 1, "movie_ridge": NO_TOWER, "user_ridge": NO_TOWER},
        "+ towers of users": {"members": 1, "movie_ridge": NO_TOWER},
        "+ towers of films": {"members": 1} if best else {},
    }
    methods = {}
    for name, changes in steps.items():
        changed = dataclasses.replace(recipe, **changes)
        fitted = fit_ratings(features, train, train.take(np.zeros(0, np.int64)), changed, SEED)
        methods[name] = _by_rating(*fitted.vectors(features, members=1))
    if best:
        model = best.recommender.model
        user, movie, watching = model.users, model.films, model.watching
    else:
        user, movie = fitted.vectors(features)
        watching = fit_watching(train, len(features.users), movie_attributes(features))

    def watched(user_idx: Indices) -> npt.NDArray[np.float32]:
        return watching.profiles[user_idx] @ watching.watched.T

    def both(user_idx: Indices) -> npt.NDArray[np.float32]:
        return join_scores(watched(user_idx), user[user_idx] @ movie.T)

    averaged = _by_rating(user, movie)
    methods[f"+ {recipe.members} models averaged"] = averaged
    methods["+ what is watched"] = Baseline(averaged.predict, both)
    methods["only what is watched"] = Baseline(scores=watched)
    return measure_methods(run, methods, part)


def _by_rating(user: Vectors, movie: Vectors) -> Baseline:
    return Baseline(
        lambda user_idx, movie_idx: pair_scores(user, movie, user_idx, movie_idx),
        lambda user_idx: user[user_idx] @ movie.T,
    )
