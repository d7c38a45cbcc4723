"""The recipe `distilled`: the documented network, taught by an accurate model.

A star that somebody gave is one noisy draw; what an accurate model expects there is the same
without the noise. A network that learns the expectations of `best` in place of the stars, pair by
pair of the same training rows, comes close to it with the documented layers and shapes. It starts
there too: a dot product of two towers can hold the leading factors of any model whose ratings are
dot products, if the ids' embeddings are these factors and the layers above let them through.

Reference:
    Hinton, Vinyals and Dean (2015), Distilling the Knowledge in a Neural Network, section 2; Tang
    and Wang (2018), Ranking Distillation, for recommenders.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.errors import needs
from movierec.models.best import BEST
from movierec.models.recipe import Job, Recipe, Trained
from movierec.network.recipes import NetworkRecipe
from movierec.vectors import Rows, pair_scores

Array = npt.NDArray[np.float64]

ROOM = 4.0  # root mean squares of an embedding that pass a ReLU below zero


@dataclass(frozen=True)
class DistilledRecipe(NetworkRecipe):
    """The documented network, started at a teacher's leading factors and taught by it.

    Chosen on validation rows of MovieLens-1M; `benchmarks/TRIED.md` has what else was tried. No
    state is chosen while it trains, so that the teacher and the network learn from all rows.

    Attributes:
        teacher: is fitted first, on the same rows.
    """

    teacher: Recipe = BEST

    validation_fraction: ClassVar[float] = 0.0
    packages: ClassVar[tuple[str, ...]] = (*NetworkRecipe.packages, *Recipe.packages)

    def fit(self, job: Job) -> Trained:
        """Fit the teacher, then train the network on what it says of the training rows.

        In the history, `train_loss` is the mean squared difference from the teacher and `val_loss`
        that from the stars of the validation rows. Users and films without ratings have no vector:
        the network has learned nothing of them.

        Raises:
            InputError, DivergedError, WorkerLostError: as `network.train_network`.
        """
        with needs("network", f"recipe {self.name}"):
            from movierec.network.network import train_network

        kept = dataclasses.replace(job.checkpoint, part="teacher", kept=self.is_chief())
        before = dataclasses.replace(job, checkpoint=kept, start_from=None, tensorboard=None)
        teacher = self.teacher.fit(before)
        expected = pair_scores(teacher.users, teacher.movies, *job.learned[:2])
        taught = dataclasses.replace(job, learned=job.learned._replace(rating=expected))
        trained = train_network(self, taught, None if job.start_from else teacher)
        for side in ("users", "movies"):
            getattr(trained, side)[np.isnan(getattr(teacher, side)).all(axis=1)] = np.nan
        before_seconds = sum(teacher.seconds.values())
        seconds = trained.seconds | {"train": trained.seconds["train"] + before_seconds}
        return trained._replace(seconds=seconds)


DISTILLED = DistilledRecipe(
    name="distilled",
    epochs=3,
    batch_size=8192,
    least_steps=100,
    most_steps=250,
    learning_rate=1e-3,
    schedule="cosine",
    share_towers=True,
)


class Leading(NamedTuple):
    """The leading part of a model, about the mean of its ratings.

    `mean + user_bias + movie_bias + (users * strength) @ movies.T` is what it predicts, but for
    factors that matter less.

    Attributes:
        mean: over pairs, stars.
        users, movies: (rows, k + 1), the bias first; root mean square 1 over ratings, and 0 in
            rows without any.
        bias: root mean squares of the two biases, stars.
        strength: (k,), what a factor adds to a rating, root mean square over pairs, falling.
    """

    mean: float
    users: Array
    movies: Array
    bias: tuple[float, float]
    strength: Array


def leading_part(teacher: Trained, rows: Rows, factors: int) -> Leading:
    """The factors of a model that matter most where people rate.

    Args:
        teacher: a model whose ratings are dot products.
        rows: training ratings; users and films count as often as they stand there.
        factors: how many; fewer are filled up with zeros.
    """
    counts = [
        np.bincount(idx, minlength=len(vectors)) / len(idx)
        for idx, vectors in ((rows.user_idx, teacher.users), (rows.movie_idx, teacher.movies))
    ]
    users, movies = (np.nan_to_num(each).astype(float) for each in (teacher.users, teacher.movies))
    centers = counts[0] @ users, counts[1] @ movies
    users = (users - centers[0]) * (counts[0] > 0)[:, None]
    movies = (movies - centers[1]) * (counts[1] > 0)[:, None]
    biases = users @ centers[1], movies @ centers[0]
    sizes = [float(np.sqrt(count @ bias**2)) for count, bias in zip(counts, biases, strict=True)]
    # the singular vectors of all pairs, each weighted by how often its user and its film rate
    roots: list[Array] = [
        np.asarray(np.linalg.qr(np.sqrt(count)[:, None] * each, mode="r"))
        for count, each in zip(counts, (users, movies), strict=True)
    ]
    left, strength, right = np.linalg.svd(roots[0] @ roots[1].T)
    kept = min(factors, int(np.sum(strength > 1e-6 * strength[0])))
    wanted = np.zeros(factors)
    wanted[:kept] = strength[:kept]

    def columns(bias: Array, size: float, vectors: Array, turn: Array) -> Array:
        found = np.zeros((len(vectors), factors + 1))
        found[:, 0] = bias / max(size, 1e-6)
        found[:, 1 : kept + 1] = vectors @ (turn[:, :kept] / strength[:kept])
        return found

    return Leading(
        float(centers[0] @ centers[1]),
        columns(biases[0], sizes[0], users, roots[1].T @ right.T),
        columns(biases[1], sizes[1], movies, roots[0].T @ left),
        (sizes[0], sizes[1]),
        wanted,
    )


def start_at(model: Any, teacher: Trained, rows: Rows, seed: int) -> None:
    """Set a network, in place, to the leading part of its teacher.

    The embeddings of ids become the factors; the layer above adds `ROOM`, so that its ReLU lets
    them through; the last one lays them along directions at right angles, about the entry at
    which the dot product of two equal vectors is the mean. What reads age, genres or title keeps
    its random values.

    Args:
        model: a `towers.TwoTower`.
        teacher, rows: as for `leading_part`.
        seed: of the directions.
    """
    weights = {variable.path: variable for variable in model.trainable_variables}
    size = weights["user_combine_fc_layer/bias"].shape[0]
    width = min(weights["uid_embed_layer/embeddings"].shape[1], size)
    part = leading_part(teacher, rows, width - 1)
    entry = np.sqrt(part.mean / size)
    drawn = np.random.default_rng(seed).standard_normal((size, width))
    drawn[:, 0] = 1.0  # a bias moves all entries alike
    directions = np.linalg.qr(drawn)[0].T[1:] * np.sqrt(part.strength)[:, None]
    for field, combined, factors, bias in (
        ("uid", "user", part.users, part.bias[0]),
        ("movie_id", "movie", part.movies, part.bias[1]),
    ):
        spread = np.vstack([np.full(size, bias / (size * entry)), directions])  # (width, size)
        kernel = weights[f"{combined}_combine_fc_layer/kernel"].numpy()
        kernel[:width] = spread
        values = {
            f"{field}_embed_layer/embeddings": factors,
            f"{field}_fc_layer/kernel": np.eye(width),
            f"{field}_fc_layer/bias": np.full(width, ROOM),
            f"{combined}_combine_fc_layer/kernel": kernel,
            f"{combined}_combine_fc_layer/bias": np.arctanh(entry) - ROOM * spread.sum(axis=0),
        }
        for path, value in values.items():
            weights[path].assign(value)
