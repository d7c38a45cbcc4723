"""Recipe `best`: several factor models with linear towers, averaged.

The members' vectors, laid side by side, are one vector whose dot product is the mean of their
predictions, so that all that works with a network's vectors works with these.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.logs import logger
from movierec.models.factors import FactorConfig, Factors, fit_factors
from movierec.models.recipe import Job, Recipe, Trained, check_above_zero
from movierec.progress import OnEpoch, progress
from movierec.vectors import Rows, pair_scores

log = logger(__name__)

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BestRecipe(FactorConfig, Recipe):
    """The most accurate: factor models with linear towers.

    Chosen on validation rows of MovieLens-1M; `benchmarks/TRIED.md` has what else was tried.
    Nothing is chosen while it trains, so that all training rows are learned from.

    Attributes:
        members: factor models from different starts, whose predictions are averaged.
    """

    members: int = 3

    def __post_init__(self) -> None:
        check_above_zero(self, "factors", "passes", "members")
        check_above_zero(self, "user_ridge", "movie_ridge", whole=False)

    def fit(self, job: Job) -> Trained:
        """Fit the members; the history is the first one's, a row a pass.

        The weights are the towers and precisions of each member, the vectors those of
        `Ratings.vectors`, of members * factors + 2 entries.
        """
        began = time.perf_counter()
        with progress() as (show_epoch, _):
            fitted = fit_ratings(job.features, job.learned, job.chosen, self, job.seed, show_epoch)
        log.debug("fitted the stars in %.1f s", time.perf_counter() - began)
        users, movies = fitted.vectors(job.features)
        weights = {
            f"member{number}/{side}/{name}": getattr(getattr(factors, side), name)
            for number, factors in enumerate(fitted.members)
            for side in ("users", "movies")
            for name in ("tower", "precision")
        }
        return Trained(
            weights=weights,
            users=users,
            movies=movies,
            history=pd.DataFrame(fitted.history),
            best_epoch=self.passes,
            seconds={"build": 0.0, "compile": 0.0, "train": time.perf_counter() - began},
        )


BEST = BestRecipe("best")


class Ratings(NamedTuple):
    """The fitted factor models of the recipe.

    Attributes:
        members: the models; their rows are the rated users and films.
        users, movies: (n,) the rows of these in the features.
        history: a row a pass of the first member.
    """

    members: list[Factors]
    users: npt.NDArray[np.int32]
    movies: npt.NDArray[np.int32]
    history: list[dict[str, float]]

    def vectors(self, features: Features, members: int | None = None) -> tuple[Array, Array]:
        """Vectors of all user and movie rows, NaN where there are no ratings.

        Args:
            features: the encodings.
            members: how many of the models are averaged; None: all.
        """
        left, right = _joined(self.members[:members])
        user = np.full((len(features.users), left.shape[1]), np.nan, np.float32)
        movie = np.full((len(features.movies), right.shape[1]), np.nan, np.float32)
        user[self.users], movie[self.movies] = left, right
        return user, movie


def fit_ratings(
    features: Features,
    learned: Rows,
    chosen: Rows,
    recipe: BestRecipe,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Ratings:
    """Fit the factor models.

    Args:
        features: the encodings.
        learned: training rows.
        chosen: validation rows, to show how the error falls; nothing is chosen on them.
        recipe: its settings.
        seed: of the members' starts.
        on_epoch: called after each pass of the first member with its row of the history: mean
            squared errors in stars squared.
    """
    began = time.perf_counter()
    users, user_at = np.unique(learned.user_idx, return_inverse=True)
    movies, movie_at = np.unique(learned.movie_idx, return_inverse=True)
    rows = Rows(user_at.astype(np.int32), movie_at.astype(np.int32), learned.rating)
    known = user_attributes(features)[users], movie_attributes(features)[movies]
    shown = chosen.take(
        np.flatnonzero(np.isin(chosen.user_idx, users) & np.isin(chosen.movie_idx, movies))
    )
    shown = Rows(
        np.searchsorted(users, shown.user_idx).astype(np.int32),
        np.searchsorted(movies, shown.movie_idx).astype(np.int32),
        shown.rating,
    )
    history: list[dict[str, float]] = []

    def record(number: int, factors: Factors) -> None:
        left, right = _joined([factors])

        def error(part: Rows) -> float:
            if not len(part.rating):
                return float("nan")
            scores = pair_scores(left, right, part.user_idx, part.movie_idx)
            return float(np.mean((scores - part.rating) ** 2, dtype=np.float64))

        entry = {"epoch": number, "train_loss": error(rows), "val_loss": error(shown)}
        history.append(entry | {"seconds": time.perf_counter() - began})
        if on_epoch:
            on_epoch(history[-1])

    # one after the other, since each takes all cores; every other one gives each user a noise of
    # its own: members that differ average better
    starts = range(seed * recipe.members, (seed + 1) * recipe.members)
    members = [
        fit_factors(rows, *known, recipe, start, number % 2 == 1, record if number == 0 else None)
        for number, start in enumerate(starts)
    ]
    return Ratings(members, users.astype(np.int32), movies.astype(np.int32), history)


def _joined(members: list[Factors]) -> tuple[Array, Array]:
    """Users' and films' vectors whose dot product is the mean of the members' predictions.

    Returns:
        float32 (users, members * k + 2) and (films, members * k + 2).
    """
    share = np.float32(1 / len(members))
    mean = sum(factors.mean for factors in members) * share
    user_bias = share * sum(factors.users.mean[:, -1] for factors in members)
    movie_bias = share * sum(factors.movies.mean[:, -1] for factors in members) + mean
    left = [factors.users.mean[:, :-1] for factors in members]
    right = [share * factors.movies.mean[:, :-1] for factors in members]
    return (
        np.column_stack([*left, user_bias, np.ones_like(user_bias)]).astype(np.float32),
        np.column_stack([*right, np.ones_like(movie_bias), movie_bias]).astype(np.float32),
    )
