"""Where a network may start: the leading factors of the ratings that it is to learn from.

What a rating says is mostly who gave it and to which film. A network that starts from random
embeddings spends its first epochs on finding that out row by row; the same is a matter of a few
matrix products, since the damped deviations of users and films, and the leading singular vectors
of what they leave over, are a good guess of what the embeddings of ids will come to hold.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse

from movierec.vectors import Rows

Matrix = npt.NDArray[np.float32]

DAMPING = 10.0  # ratings of the mean that each user and film is thought to have besides its own
ROUNDING = 1e-6  # stars; a column that is smaller says nothing
PASSES = 3  # over the ratings, for the deviations and for the singular vectors
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
    matrix = scipy.sparse.csr_array(
        (left.astype(np.float32), (user_idx, movie_idx)), shape=(users, movies)
    )

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
    left_vectors = basis @ turn.T
    return (
        _columns(user_mean, left_vectors, clear, width),
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
