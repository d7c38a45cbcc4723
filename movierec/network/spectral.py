"""Where a network may start: at the leading factors of the ratings, or of a model that teaches it.

What a rating says is mostly who gave it and to which film. A network that starts from random
embeddings spends its first epochs on finding that out row by row; the same is a matter of a few
matrix products, since the damped deviations of users and films, and the leading singular vectors
of what they leave over, are a good guess of what the embeddings of ids will come to hold.

With a teacher it can begin nearly where that ends: two towers can hold the leading factors of any
model whose ratings are dot products, if ids' embeddings are these and the layers let them through.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse

from movierec.models.recipe import Trained
from movierec.vectors import Rows

Matrix = npt.NDArray[np.float32]
Float = npt.NDArray[np.float64]

DAMPING = 10.0  # ratings of the mean that each user and film is thought to have besides its own
ROUNDING = 1e-6  # stars; a column that is smaller says nothing
PASSES = 3  # over the ratings, for the deviations and for the singular vectors
SCALE = 0.05  # of the embeddings: a step moves vectors as far as what stands below them is large
ROOM = 4.0  # root mean squares of an embedding that pass a ReLU below zero
SPARE = 10  # singular vectors computed beyond those wanted, which makes the last ones exact enough


def leading_factors(
    rows: Rows, users: int, movies: int, width: int, seed: int = 0
) -> tuple[Matrix, Matrix]:
    """Users and films as the ratings alone describe them.

    The first column is the damped deviation from the mean rating; the others are the leading
    singular vectors of the residuals, in which each is scaled down by the root of a user's and a
    film's ratings, so that neither the busiest users nor the best-known films rule them.

    Args:
        rows: training ratings.
        users, movies: rows of the matrices.
        width: columns of the matrices, from 1.
        seed: of the randomized decomposition.

    Returns:
        float32 (users, width) and (movies, width). The root mean square of the first column is 1;
        that of the others is 1 - (noise / strength)^2, where strength is the singular value and
        noise the last one computed, so that the less a column stands out the less it says. A
        column is 0 where the ratings have nothing to say. Rows without ratings are 0.

    Reference:
        Halko, Martinsson and Tropp (2011), Finding structure with randomness, algorithm 4.4.
    """
    user_idx, movie_idx, rating = rows
    user_count = np.bincount(user_idx, minlength=users)
    movie_count = np.bincount(movie_idx, minlength=movies)
    residual = rating - rating.mean(dtype=np.float64)
    user_mean, movie_mean = np.zeros(users), np.zeros(movies)
    for _ in range(PASSES):
        left = residual - user_mean[user_idx]
        movie_mean = np.bincount(movie_idx, left, movies) / (movie_count + DAMPING)
        left = residual - movie_mean[movie_idx]
        user_mean = np.bincount(user_idx, left, users) / (user_count + DAMPING)
    left = residual - user_mean[user_idx] - movie_mean[movie_idx]
    left *= (user_count + DAMPING)[user_idx] ** -0.5
    left *= (movie_count + DAMPING)[movie_idx] ** -0.5
    entries = left.astype(np.float32), (user_idx, movie_idx)
    matrix = scipy.sparse.csr_array(entries, shape=(users, movies))

    found = min(width - 1 + SPARE, users, movies)
    start = np.random.default_rng(seed).standard_normal((movies, found), dtype=np.float32)
    basis = np.linalg.qr(matrix @ start)[0]  # (users, found)
    for _ in range(PASSES):
        basis = np.linalg.qr(matrix.T @ basis)[0]
        basis = np.linalg.qr(matrix @ basis)[0]
    # the residuals are about basis times the transpose of (movies, found)
    right, strength, turn = np.linalg.svd(matrix.T @ basis, full_matrices=False)
    # how far each stands out of the noise, for which the last one found is taken
    clear = 1 - np.square(strength[-1] / np.maximum(strength, np.finfo(np.float32).tiny))
    return (
        _columns(user_mean, basis @ turn.T, clear, width),
        _columns(movie_mean, right, clear, width),
    )


def _columns(mean: npt.NDArray[np.float64], vectors: Matrix, clear: Matrix, width: int) -> Matrix:
    """Side by side, cut or filled with zeros to the width, with these root mean squares."""
    columns = np.zeros((len(mean), width), dtype=np.float32)
    columns[:, 0] = mean
    kept = vectors[:, : width - 1]
    columns[:, 1 : 1 + kept.shape[1]] = kept
    size = np.sqrt(np.mean(np.square(columns, dtype=np.float64), axis=0))
    columns *= np.divide(1, size, out=np.zeros_like(size), where=size > ROUNDING)
    columns[:, 1 : 1 + kept.shape[1]] *= clear[: width - 1]
    return columns


class Leading(NamedTuple):
    """The leading part of a model, about the mean of its ratings."""

    mean: float  # over pairs, stars
    # (rows, k + 1), the bias first; root mean square 1 over ratings, and 0 in rows without any
    users: Float
    movies: Float
    bias: tuple[float, float]  # root mean squares of the two biases, stars
    strength: Float  # (k,), what a factor adds to a rating, root mean square over pairs, falling


def leading_part(teacher: Trained, rows: Rows, factors: int) -> Leading:
    """The factors of a model that matter most where people rate.

    Args:
        teacher: a model whose ratings are dot products: the biases, and
            `(users * strength) @ movies.T` of the part, but for factors that matter less.
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
    roots: list[Float] = [
        np.asarray(np.linalg.qr(np.sqrt(count)[:, None] * each, mode="r"))
        for count, each in zip(counts, (users, movies), strict=True)
    ]
    left, strength, right = np.linalg.svd(roots[0] @ roots[1].T)
    kept = min(factors, int(np.sum(strength > 1e-6 * strength[0])))

    def columns(bias: Float, size: float, vectors: Float, turn: Float) -> Float:
        found = vectors @ (turn[:, :kept] / strength[:kept])
        found = np.column_stack([bias / max(size, 1e-6), found])
        return np.pad(found, ((0, 0), (0, factors - kept)))

    return Leading(
        float(centers[0] @ centers[1]),
        columns(biases[0], sizes[0], users, roots[1].T @ right.T),
        columns(biases[1], sizes[1], movies, roots[0].T @ left),
        (sizes[0], sizes[1]),
        np.pad(strength[:kept], (0, factors - kept)),
    )


def start_at(model: Any, teacher: Trained, rows: Rows, seed: int) -> None:
    """Set a `towers.TwoTower`, in place, to the leading part of its teacher.

    The embeddings of ids become the factors; the layer above adds `ROOM`, so that its ReLU lets
    them through; the last one lays them along directions at right angles, about the entry at
    which the dot product of two equal vectors is the mean. What is read of age, genres or title
    keeps its random values, but has no weight yet in a vector. The seed draws the directions.
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
        kernel = np.zeros(weights[f"{combined}_combine_fc_layer/kernel"].shape)
        kernel[:width] = spread / SCALE
        weights[f"{field}_embed_layer/embeddings"].assign(SCALE * factors)
        weights[f"{field}_fc_layer/kernel"].assign(np.eye(width))
        weights[f"{field}_fc_layer/bias"].assign(np.full(width, SCALE * ROOM))
        weights[f"{combined}_combine_fc_layer/kernel"].assign(kernel)
        start = np.arctanh(entry) - ROOM * spread.sum(axis=0)
        weights[f"{combined}_combine_fc_layer/bias"].assign(start)
