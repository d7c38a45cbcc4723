"""Recipe `best`: several factor models with linear towers, averaged.

The members' vectors, laid side by side, are one vector whose dot product is the mean of their
predictions, so that all that works with a network's vectors works with these.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.logs import logger
from movierec.models.checkpoints import Checkpoint, State
from movierec.models.factors import FactorConfig, Factors, beginning, fit_factors, leverage
from movierec.models.posterior import Side
from movierec.models.recipe import Job, Recipe, Trained, check_above_zero
from movierec.progress import OnEpoch, Progress, progress
from movierec.spread import Spread, by_threads
from movierec.vectors import Array, Indices, Pair, Rows, pair_scores

log = logger(__name__)

MOST_SHOWN = 1_000_000  # training ratings whose error the history tells, evenly taken
KEEP_EVERY = 30.0  # seconds, at least, between two states of a checkpoint, a second of writing it


@dataclass(frozen=True)
class BestRecipe(FactorConfig, Recipe):
    """The most accurate: factor models with linear towers.

    Chosen on validation rows of MovieLens-1M; `benchmarks/TRIED.md` has what else was tried.
    Nothing is chosen while it trains, so that all training rows are learned from.
    """

    members: int = 3  # factor models from different starts, whose predictions are averaged

    supports: ClassVar[frozenset[str]] = frozenset({"resume", "cluster"})

    def __post_init__(self) -> None:
        check_above_zero(self, "factors", "passes", "members")
        check_above_zero(self, "user_ridge", "movie_ridge", whole=False)

    def fit(self, job: Job) -> Trained:
        """Fit the members; the history is the first one's, a row a pass.

        The weights are the towers and precisions of each member, the vectors those of
        `Ratings.vectors`, of members * factors + 2 entries.
        """
        began = time.perf_counter()
        with progress() as (show_epoch, show_pass):
            fitted = fit_ratings(
                *(job.features, job.learned, job.chosen, self, job.seed),
                on_epoch=show_epoch,
                on_pass=show_pass,
                checkpoint=job.checkpoint,
                spread=job.spread,
            )
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
            best_epoch=len(fitted.history),
            seconds={"build": 0.0, "compile": 0.0, "train": time.perf_counter() - began},
            nearby=True,
            leverage=np.mean([leverage(each, fitted.rows) for each in fitted.members], axis=0),
        )


BEST = BestRecipe("best")


class Ratings(NamedTuple):
    """The fitted factor models of the recipe, whose rows are the rated users and films."""

    members: list[Factors]
    users: npt.NDArray[np.int32]  # (n,) rows of these users in the features, those with most first
    movies: npt.NDArray[np.int32]  # (m,) likewise
    rows: Rows  # the ratings that were learned, by these
    history: list[dict[str, float]]  # a row a pass of the first member

    def vectors(self, features: Features) -> tuple[Array, Array]:
        """Vectors whose dot product is the mean of the members' predictions.

        Returns:
            float32 (user rows, members * k + 2) and (movie rows, members * k + 2), NaN where there
            are no ratings.
        """
        share = np.float32(1 / len(self.members))
        mean = sum(factors.mean for factors in self.members) * share
        user_bias = share * sum(factors.users.mean[:, -1] for factors in self.members)
        movie_bias = share * sum(factors.movies.mean[:, -1] for factors in self.members) + mean
        left = [factors.users.mean[:, :-1] for factors in self.members]
        right = [share * factors.movies.mean[:, :-1] for factors in self.members]
        columns = sum(each.shape[1] for each in left) + 2
        users = np.full((len(features.users), columns), np.nan, np.float32)
        movies = np.full((len(features.movies), columns), np.nan, np.float32)
        users[self.users] = np.column_stack([*left, user_bias, np.ones_like(user_bias)])
        movies[self.movies] = np.column_stack([*right, np.ones_like(movie_bias), movie_bias])
        return users, movies


def fit_ratings(
    features: Features,
    learned: Rows,
    chosen: Rows,
    recipe: BestRecipe,
    seed: int,
    on_epoch: OnEpoch | None = None,
    on_pass: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    spread: Spread = by_threads,
) -> Ratings:
    """Fit the factor models.

    Args:
        features, learned, chosen, seed: as in `Job`; the validation rows show how the error falls,
            and nothing is chosen on them.
        recipe: its settings.
        on_epoch: called after each pass of the first member with its row of the history: mean
            squared errors in stars squared.
        on_pass: called after each pass of any member with the passes done, those of all members,
            and the noise.
        checkpoint: gone on from, with the same bits at the end, and kept up to date.
        spread: as in `fit_factors`.

    Raises:
        InputError: a checkpoint of another training, or a damaged one.
    """
    began = time.perf_counter()
    (users, user_idx), (movies, movie_idx) = _rated(learned.user_idx), _rated(learned.movie_idx)
    rows = Rows(user_idx, movie_idx, learned.rating)
    known = user_attributes(features)[users], movie_attributes(features)[movies]
    # of many ratings some tell the error as well, and are read at every pass
    every = -(-len(learned.rating) // MOST_SHOWN)
    learned = learned.take(np.arange(0, len(learned.rating), every))
    done, history, models = _kept(checkpoint, recipe, known) if checkpoint else (0, [], [])
    spent = history[-1]["seconds"] if history else 0.0
    due = time.perf_counter() + KEEP_EVERY

    def error(factors: Factors, part: Rows) -> float:
        vectors = Ratings([factors], users, movies, rows, history).vectors(features)
        square = (pair_scores(*vectors, part.user_idx, part.movie_idx) - part.rating) ** 2
        square = square[~np.isnan(square)]  # where both have ratings
        return float(square.mean(dtype=np.float64)) if len(square) else float("nan")

    def passed(member: int, number: int, factors: Factors) -> None:
        nonlocal due
        models[member:] = [factors]
        if member == 0:
            losses = {"train_loss": error(factors, learned), "val_loss": error(factors, chosen)}
            seconds = spent + time.perf_counter() - began
            history.append({"epoch": len(history) + 1, **losses, "seconds": seconds})
            if on_epoch:
                on_epoch(history[-1])
        done = member * recipe.passes + number
        if checkpoint and (now := time.perf_counter()) >= due:
            arrays = dict(pair for i, each in enumerate(models) for pair in _named(each, f"{i}"))
            checkpoint.write(State(steps=done, history=history), arrays)
            after = time.perf_counter()
            due = after + KEEP_EVERY * max(after - now, 1)
        if on_pass:
            on_pass(done, recipe.members * recipe.passes, factors.noise)

    # one after the other, since each takes all cores
    for member in range(done // recipe.passes, recipe.members):
        number = done - member * recipe.passes  # above 0 for the member that was interrupted
        models[member:] = [
            fit_factors(
                rows,
                known,
                recipe,
                seed * recipe.members + member,
                # a noise of its own for each user: members that differ average better
                noise_by_user=member % 2 == 1,
                on_pass=partial(passed, member),
                start=(number, models[member]) if number > 0 else None,
                spread=spread,
            )
        ]
    return Ratings(models, users, movies, rows, history)


def _rated(idx: Indices) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Rows that stand in ratings, and for each rating its row's number among them.

    Those with most ratings come first: `posterior` solves for like ones together.
    """
    count = np.bincount(idx)
    rated = np.argsort(-count, kind="stable")[: np.count_nonzero(count)].astype(np.int32)
    number = np.zeros(len(count), np.int32)
    number[rated] = np.arange(len(rated))
    return rated, number[idx]


def _named(model: Any, name: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The arrays and numbers of a model, by their names joined by dots."""
    if isinstance(model, Factors | Side):
        for field, each in model._asdict().items():
            yield from _named(each, f"{name}.{field}")
    else:
        yield name, np.asarray(model)


def _like(model: Any, name: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    """A model whose arrays have these names, of the shapes of another."""
    if isinstance(model, Factors | Side):
        fields = model._asdict().items()
        return type(model)(*(_like(each, f"{name}.{field}", arrays) for field, each in fields))
    if arrays[name].shape != np.shape(model):
        raise ValueError(f"{name} of shape {arrays[name].shape}")
    return arrays[name] if arrays[name].ndim else arrays[name].item()


def _kept(
    checkpoint: Checkpoint, recipe: BestRecipe, known: Pair
) -> tuple[int, list[dict[str, float]], list[Factors]]:
    """Passes done, the history and the models of a checkpoint; 0 and nothing without one."""
    if (stored := checkpoint.read()) is None:
        return 0, [], []
    state, arrays = stored
    model = beginning(np.random.default_rng(0), known, recipe.factors)
    try:
        if not 0 < state.steps <= recipe.passes * recipe.members:
            raise ValueError(f"{state.steps} passes")
        members = range(-(-state.steps // recipe.passes))
        return state.steps, state.history, [_like(model, f"{each}", arrays) for each in members]
    except (KeyError, ValueError) as error:
        raise checkpoint.unreadable(error) from error
