"""What else a user could pick: means, biases, popularity, a factor model and a linear item model.

A baseline is a function that is fitted on rows and gives an `evaluate.Baseline`; all are NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from movierec.errors import InputError
from movierec.evaluation.evaluate import Baseline, Fit
from movierec.vectors import LIKED, Indices, Rows, Vectors, pair_scores

DAMPING = 5.0  # ratings at the overall mean that every mean starts with
PASSES = 10

# of the factor model; chosen on 5 % of the training rows of MovieLens-1M's ninety-ten, seed 0
FACTORS = 50
FACTOR_DAMPING = 1.2
FACTOR_PASSES = 8

EASE_DAMPING = 500.0
EASE_FILMS = 15_000  # a matrix of films by films then takes 0.9 GB


def global_mean(train: Rows, users: int, movies: int) -> Baseline:
    """Every rating is the mean of all; as all the functions below, it is fitted on `train`.

    `users` and `movies` are numbers of rows, those without ratings included.
    """
    mean = _mean(train)
    return Baseline(lambda user_idx, movie_idx: np.full(len(user_idx), mean))


def user_mean(train: Rows, users: int, movies: int) -> Baseline:
    """A user's own mean, damped towards the overall mean."""
    mean = _mean(train)
    offset = _damped(train.user_idx, train.rating - mean, users)
    return Baseline(lambda user_idx, movie_idx: mean + offset[user_idx])


def movie_mean(train: Rows, users: int, movies: int) -> Baseline:
    """A film's own mean, damped towards the overall mean."""
    mean = _mean(train)
    offset = _damped(train.movie_idx, train.rating - mean, movies)
    return Baseline(lambda user_idx, movie_idx: mean + offset[movie_idx], _same_for_all(offset))


def biases(train: Rows, users: int, movies: int) -> Baseline:
    """Overall mean, plus how generous a user is, plus how well liked a film is.

    Reference:
        Koren, Bell and Volinsky (2009), Matrix Factorization Techniques, "Adding biases"; fitted
        by alternating damped means.
    """
    mean = _mean(train)
    residual = train.rating - mean
    user_bias = np.zeros(users)
    for _ in range(PASSES):
        movie_bias = _damped(train.movie_idx, residual - user_bias[train.user_idx], movies)
        user_bias = _damped(train.user_idx, residual - movie_bias[train.movie_idx], users)
    base = mean + user_bias
    return Baseline(lambda user, film: base[user] + movie_bias[film], _same_for_all(movie_bias))


def factor_model(train: Rows, users: int, movies: int, seed: int = 0) -> Baseline:
    """Biases, plus the dot product of a user's and a film's factors, by alternating ridges.

    With the films held fast, each user's bias and factors are one small least-squares problem,
    and the other way round. A problem of n ratings is damped by `FACTOR_DAMPING` times √n: on
    validation rows better than the same damping for all (n⁰), and than one that grows with n.
    Films are ordered by the predicted rating. `seed` is that of the factors that it starts with.

    Reference:
        Zhou, Wilkinson, Schreiber and Pan (2008), Large-scale parallel collaborative filtering for
        the Netflix Prize (which damps by n).
    """
    mean = _mean(train)
    residual = (train.rating - mean).astype(np.float32)
    by_user = sparse.csr_array((residual, train[:2]), shape=(users, movies))
    by_movie = by_user.T.tocsr()
    user = np.random.default_rng(seed).normal(0, 0.1, (users, 1 + FACTORS)).astype(np.float32)
    user[:, 0] = 0  # a row is [bias, factors]
    for _ in range(FACTOR_PASSES):
        movie = _ridges(by_movie, user)
        user = _ridges(by_user, movie)
    left = np.insert(user, 0, 1, axis=1)  # [1, user's bias, factors]
    right = np.insert(movie, 1, 1, axis=1)  # [film's bias, 1, factors]
    right[:, 0] += mean
    return Baseline(partial(pair_scores, left, right), lambda user_idx: left[user_idx] @ right.T)


def popularity(train: Rows, users: int, movies: int) -> Baseline:
    """For everybody the films that were most often liked."""
    liked = train.movie_idx[train.rating >= LIKED]
    return Baseline(scores=_same_for_all(np.bincount(liked, minlength=movies)))


def ease(train: Rows, users: int, movies: int) -> Baseline:
    """A film's score is a weighted sum over the films that the user liked.

    The weights are the ridge regression of each film's likes on those of all other films, in
    closed form; more rows of films than `EASE_FILMS` are an `InputError`.

    Reference:
        Steck (2019), Embarrassingly shallow autoencoders for sparse data.
    """
    if movies > EASE_FILMS:
        most = f"made up to {EASE_FILMS:,} rows; this catalogue has {movies:,}"
        raise InputError(f"needs a dense matrix of films by films, {most}")
    likes = train.rating >= LIKED
    pairs = (train.user_idx[likes], train.movie_idx[likes])
    liked = sparse.csr_array((np.ones(likes.sum(), np.float32), pairs), shape=(users, movies))
    gram = (liked.T @ liked).toarray()  # (movies, movies)
    gram.flat[:: movies + 1] += EASE_DAMPING
    weights = linalg.inv(gram, overwrite_a=True, assume_a="pos")
    weights /= -weights.diagonal().copy()
    weights.flat[:: movies + 1] = 0
    return Baseline(scores=lambda user_idx: liked[user_idx] @ weights)


# in the order in which they are shown
BASELINES: dict[str, Fit] = {
    "global mean": global_mean,
    "user mean": user_mean,
    "movie mean": movie_mean,
    "biases": biases,
    "factor model": factor_model,
    "most often liked": popularity,
    "EASE": ease,
}
MEANS = ("global mean", "user mean", "movie mean", "biases")  # what needs no learning


def _mean(train: Rows) -> float:
    return float(np.mean(train.rating, dtype=np.float64))


def _damped(idx: Indices, values: npt.NDArray, rows: int) -> npt.NDArray[np.float64]:
    sums = np.bincount(idx, weights=values, minlength=rows)
    return sums / (np.bincount(idx, minlength=rows) + DAMPING)


def _same_for_all(score: npt.NDArray) -> Callable[[Indices], npt.NDArray[np.float32]]:
    return lambda user_idx: np.tile(score.astype(np.float32), (len(user_idx), 1))


def _ridges(residual: sparse.csr_array, other: Vectors) -> Vectors:
    """The best biases and factors (rows, 1 + factors) given those of the columns."""
    target = residual.data - other[residual.indices, 0]
    inputs = other.copy()
    inputs[:, 0] = 1  # what a row's own bias is multiplied with
    width = other.shape[1]
    solved = np.zeros((residual.shape[0], width), dtype=np.float32)
    counts = np.diff(residual.indptr)
    for row in np.flatnonzero(counts):
        part = slice(*residual.indptr[row : row + 2])
        design = inputs[residual.indices[part]]  # (ratings, 1 + factors)
        gram = design.T @ design
        gram.flat[:: width + 1] += FACTOR_DAMPING * counts[row] ** 0.5
        solved[row] = np.linalg.solve(gram, design.T @ target[part])
    return solved
