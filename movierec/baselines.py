"""What else a user could pick: means, biases and popularity, each in a few lines of NumPy.

A rating baseline is fitted on rows and returns a function from pairs to predicted stars.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int32]
Stars = npt.NDArray[np.float32]
Predictor = Callable[[Indices, Indices], npt.NDArray[np.float64]]

DAMPING = 5.0  # ratings at the overall mean that every mean starts with
PASSES = 10


def global_mean(user_idx: Indices, movie_idx: Indices, rating: Stars) -> Predictor:
    """Every rating is the mean of all."""
    mean = float(np.mean(rating, dtype=np.float64))
    return lambda users, movies: np.full(len(users), mean)


def user_mean(user_idx: Indices, movie_idx: Indices, rating: Stars) -> Predictor:
    """A user's own mean, damped towards the overall mean."""
    mean = float(np.mean(rating, dtype=np.float64))
    offset = _damped(user_idx, rating - mean, DAMPING)
    return lambda users, movies: mean + _of(offset, users)


def movie_mean(user_idx: Indices, movie_idx: Indices, rating: Stars) -> Predictor:
    """A film's own mean, damped towards the overall mean."""
    mean = float(np.mean(rating, dtype=np.float64))
    offset = _damped(movie_idx, rating - mean, DAMPING)
    return lambda users, movies: mean + _of(offset, movies)


def biases(user_idx: Indices, movie_idx: Indices, rating: Stars) -> Predictor:
    """Overall mean, plus how generous a user is, plus how well liked a film is.

    Reference:
        Koren, Bell and Volinsky (2009), Matrix Factorization Techniques, "Adding biases"; fitted
        by alternating damped means.
    """
    mean = float(np.mean(rating, dtype=np.float64))
    residual = rating - mean
    user_bias = np.zeros(user_idx.max() + 1)
    for _ in range(PASSES):
        movie_bias = _damped(movie_idx, residual - user_bias[user_idx], DAMPING)
        user_bias = _damped(user_idx, residual - movie_bias[movie_idx], DAMPING)
    return lambda users, movies: mean + _of(user_bias, users) + _of(movie_bias, movies)


RATING_BASELINES = {
    "global mean": global_mean,
    "user mean": user_mean,
    "movie mean": movie_mean,
    "biases": biases,
}


def popularity(movie_idx: Indices, rating: Stars, rows: int, liked: float = 4.0) -> Stars:
    """How often each film was liked.

    Args:
        movie_idx: (n,) rated films.
        rating: (n,) stars.
        rows: number of movie rows.
        liked: stars from which a rating is a like.

    Returns:
        float32 (rows,) counts.
    """
    return np.bincount(movie_idx[rating >= liked], minlength=rows).astype(np.float32)


def _damped(idx: Indices, values: npt.NDArray, damping: float) -> npt.NDArray[np.float64]:
    return np.bincount(idx, weights=values) / (np.bincount(idx) + damping)


def _of(offset: npt.NDArray[np.float64], idx: Indices) -> npt.NDArray[np.float64]:
    """Offsets by row; a row that was never rated has none."""
    known = idx < len(offset)
    return np.where(known, offset[np.where(known, idx, 0)], 0.0)
