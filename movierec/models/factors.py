"""The ratings half of recipe `best`: a factor model whose two towers know who rates what.

A rating is the mean of all ratings, plus the dot product of a user's and a film's factors, plus a
bias of each, plus noise. Factors and bias together are a side's vector, (k + 1,):

    rating(u, i) ~ N(mean + p_u . q_i + b_u + c_i, noise)
    [p_u, b_u]   ~ N(x_u W, precision_u^-1)     x_u: the films that u rates, gender, age, job
    [q_i, c_i]   ~ N(z_i V, precision_i^-1)     z_i: the people who rate i, genres, year

W and V are the towers: linear maps from all that is known of a user or a film to its vector, before
any star is looked at. The stars then move the vector away from its tower's output as far as they
are many and agree. All of it is found by coordinate ascent in closed form: no learning rate, no
random order, and a full covariance of every vector, which says how sure the model is.

Reference:
    Lim and Teh (2007), Variational Bayesian Approach to Movie Rating Prediction, section 3; the
    towers stand where Agarwal and Chen (2009), Regression-based Latent Factor Models, have their
    regressions; that a film is rated at all says something of it: Koren (2008), Factorization
    Meets the Neighborhood, section 4 (SVD++).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.vectors import Rows, pair_scores

Array = npt.NDArray[np.float32]

BLOCK = 1024  # vectors solved for at once
USER_SHRINK = 20.0  # a history of n films enters with 1 / sqrt(n + this) for each
MOVIE_SHRINK = 1.0  # likewise the raters of a film
NOISE_RATINGS = 20.0  # ratings of usual noise that a user's own noise starts with
SOLVER_STEPS = 5  # of the tower's solver, from where the pass before left it


@dataclass(frozen=True)
class FactorConfig:
    """Settings of a factor model.

    Attributes:
        factors: of each member; a vector has these and a bias.
        passes: of the coordinate ascent.
        user_ridge, movie_ridge: of the towers.
    """

    factors: int = 40
    passes: int = 25
    user_ridge: float = 5.0
    movie_ridge: float = 1.0


class Side(NamedTuple):
    """One side of the model, users or films: n vectors of k factors and a bias.

    Attributes:
        mean: (n, k + 1), the vectors.
        covariance: (n, k + 1, k + 1), how unsure each is.
        tower: (inputs, k + 1), from what is known to the expected vector.
        precision: (k + 1, k + 1), inverse covariance of vectors about their tower's output.
    """

    mean: Array
    covariance: Array
    tower: Array
    precision: Array


class Factors(NamedTuple):
    """A fitted factor model.

    Attributes:
        mean: of the training ratings, stars.
        noise: variance of a rating about its prediction, stars squared.
        users, movies: the two sides.
    """

    mean: float
    noise: float
    users: Side
    movies: Side


def tower_inputs(rated: sp.csr_array, attributes: Array, shrink: float) -> sp.csr_array:
    """What a tower sees: the other side's rows that stand in ratings with it, and attributes.

    Args:
        rated: (n, m) ones where there is a rating.
        attributes: (n, a).
        shrink: a row with c ratings holds 1 / sqrt(c + shrink) for each.

    Returns:
        (n, m + a + 2); the last two columns are a constant and the logarithm of c + 1.
    """
    count = np.diff(rated.indptr)
    history = sp.diags_array(((count + shrink) ** -0.5).astype(np.float32)) @ rated
    known = np.column_stack([attributes, np.full(len(count), 0.3), 0.3 * np.log1p(count)])
    return sp.hstack([history, sp.csr_array(known.astype(np.float32))], format="csr")


def fit_factors(
    rows: Rows,
    user_attributes: Array,
    movie_attributes: Array,
    recipe: FactorConfig,
    seed: int,
    noise_by_user: bool = False,
    on_pass: Callable[[int, Factors], None] | None = None,
) -> Factors:
    """Fit one factor model.

    Args:
        rows: training ratings, in which every user and every film appears.
        user_attributes: (users, a).
        movie_attributes: (films, b).
        recipe: factors, passes, and the ridge of both towers.
        seed: of the start; another start ends in another, about equally good place.
        noise_by_user: whether each user's ratings have a noise of their own.
        on_pass: called after each pass with its number, from 1, and the model so far.

    Returns:
        The model.
    """
    n, m, k = len(user_attributes), len(movie_attributes), recipe.factors
    rng = np.random.default_rng(seed)
    mean = np.float32(rows.rating.mean(dtype=np.float64))
    place = (rows.user_idx, rows.movie_idx)
    rated = sp.csr_array((np.ones(len(rows.rating), np.float32), place), shape=(n, m))
    stars = sp.csr_array((rows.rating - mean, place), shape=(n, m))
    raters, stars_of = rated.T.tocsr(), stars.T.tocsr()
    inputs = (
        tower_inputs(rated, user_attributes, USER_SHRINK),
        tower_inputs(raters, movie_attributes, MOVIE_SHRINK),
    )
    users = _start(rng, n, k, inputs[0].shape[1])
    movies = _start(rng, m, k, inputs[1].shape[1])
    noise, weight = 0.8, np.ones(n, np.float32)  # weight: of a user's ratings, 1 on average
    for number in range(1, recipe.passes + 1):
        ones = np.ones(m, np.float32)
        users = _half(users, movies, rated, stars, inputs[0], weight / noise, ones)
        users = _fit_tower(users, inputs[0], recipe.user_ridge)
        each = np.full(m, 1 / noise, np.float32)
        movies = _half(movies, users, raters, stars_of, inputs[1], each, weight)
        movies = _fit_tower(movies, inputs[1], recipe.movie_ridge)
        spread = _squares(users, movies, rows, float(mean)) + _unsure(users, movies, rated, n)
        count = np.diff(rated.indptr)
        if noise_by_user:
            own = (spread + NOISE_RATINGS * noise) / (count + NOISE_RATINGS)
            noise = 1 / float(np.average(1 / own, weights=count))
            weight = (noise / own).astype(np.float32)
        else:
            noise = float(spread.sum() / count.sum())
        if on_pass:
            on_pass(number, Factors(float(mean), noise, users, movies))
    return Factors(float(mean), noise, users, movies)


def without_doubt(factors: Factors) -> Factors:
    """The model without its covariances, which take k times the memory of all the rest."""
    none = np.zeros((0, 0, 0), np.float32)
    sides = (side._replace(covariance=none) for side in (factors.users, factors.movies))
    return Factors(factors.mean, factors.noise, *sides)


def _start(rng: np.random.Generator, n: int, k: int, inputs: int) -> Side:
    mean = np.zeros((n, k + 1), np.float32)
    mean[:, :k] = rng.normal(0, 0.1, (n, k))
    unit = np.eye(k + 1, dtype=np.float32)
    covariance = np.broadcast_to(0.01 * unit, (n, k + 1, k + 1))
    return Side(mean, covariance, np.zeros((inputs, k + 1), np.float32), 10 * unit)


def _half(
    own: Side,
    other: Side,
    rated: sp.csr_array,
    stars: sp.csr_array,
    inputs: sp.csr_array,
    row_weight: Array,
    column_weight: Array,
) -> Side:
    """The vectors of one side, given the other's: for each a ridge regression on its ratings.

    Args:
        own, other: the sides; `own` gives the tower and the precision.
        rated, stars: (n, m) ones, and stars less their mean.
        inputs: (n, f) of the own tower.
        row_weight: (n,) precision of the noise, 1 / stars squared.
        column_weight: (m,) relative precision of the noise.
    """
    k = own.mean.shape[1] - 1
    factors, bias = other.mean[:, :k], other.mean[:, k:]
    # a vector meets the other's [q, 1]; its own bias meets the 1, the other's bias c is taken off
    meets = np.column_stack([factors, np.ones_like(bias)])  # (m, k + 1)
    second = meets[:, :, None] * meets[:, None, :]  # E [q, 1][q, 1]', (m, k + 1, k + 1)
    second[:, :k, :k] += other.covariance[:, :k, :k]
    off = meets * bias  # E c [q, 1]
    off[:, :k] += other.covariance[:, :k, k]
    upper = np.triu_indices(k + 1)  # a symmetric matrix is summed by its upper triangle
    square = np.zeros((k + 1, k + 1), np.intp)
    square[upper] = square.T[upper] = np.arange(len(upper[0]))
    weight = column_weight[:, None]
    sums = rated @ (second[:, *upper] * weight)  # (n, (k + 1)(k + 2) / 2)
    pulls = stars @ (meets * weight) - rated @ (off * weight)  # (n, k + 1)
    held = inputs @ own.tower @ own.precision
    mean = np.empty_like(own.mean)
    covariance = np.empty((len(mean), k + 1, k + 1), np.float32)
    for a in range(0, len(mean), BLOCK):
        part = slice(a, a + BLOCK)
        sure = row_weight[part, None]
        precision = sums[part][:, square] * sure[:, :, None] + own.precision
        covariance[part] = np.linalg.inv(precision)
        pull = held[part] + pulls[part] * sure
        mean[part] = (covariance[part] @ pull[:, :, None])[:, :, 0]
    return own._replace(mean=mean, covariance=covariance)


def _fit_tower(side: Side, inputs: sp.csr_array, ridge: float) -> Side:
    """The tower and the precision that fit a side's vectors."""
    tower = ridge_regression(inputs, side.mean, ridge, side.tower, SOLVER_STEPS)
    left = side.mean - inputs @ tower
    width = side.mean.shape[1]
    # the small multiple of the identity is a prior that keeps the matrix regular
    spread = left.T @ left + side.covariance.sum(axis=0) + 0.05 * np.eye(width)
    precision = np.linalg.inv(spread / (len(side.mean) + 1)).astype(np.float32)
    return side._replace(tower=tower, precision=precision)


def ridge_regression(
    inputs: sp.csr_array, targets: Array, ridge: float, start: Array, steps: int
) -> Array:
    """Weights w that lower |inputs w - targets|^2 + ridge |w|^2, column by column.

    By conjugate gradients, which need two products with the sparse inputs a step and never a
    matrix of inputs x inputs.

    Args:
        inputs: (n, f).
        targets: (n, t).
        ridge: above 0.
        start: (f, t).
        steps: how many; from a good start a few are enough.

    Returns:
        float32 (f, t).

    Reference:
        Hestenes and Stiefel (1952), Methods of Conjugate Gradients for Solving Linear Systems.
    """
    flipped = inputs.T.tocsr()
    weights = start.copy()
    left = flipped @ (targets - inputs @ weights) - ridge * weights
    way, size = left.copy(), (left**2).sum(axis=0)
    for _ in range(steps):
        across = flipped @ (inputs @ way) + ridge * way
        # a column that is solved stays where it is
        length = size / np.maximum((way * across).sum(axis=0), 1e-30)
        weights += length * way
        left -= length * across
        previous, size = size, (left**2).sum(axis=0)
        way = left + size / np.maximum(previous, 1e-30) * way
    return weights


def _squares(users: Side, movies: Side, rows: Rows, mean: float) -> npt.NDArray[np.float64]:
    """Squared errors on the training rows, summed by user; (users,)."""
    error = rows.rating - mean - pair_products(users.mean, movies.mean, rows)
    return np.bincount(rows.user_idx, error**2, minlength=len(users.mean)).astype(np.float64)


def pair_products(users: Array, movies: Array, rows: Rows) -> Array:
    """Dot product of factors plus both biases, for pairs; (rows,) stars about the mean."""
    one = np.ones((len(users), 1), np.float32), np.ones((len(movies), 1), np.float32)
    left = np.column_stack([users, one[0]])
    right = np.column_stack([movies[:, :-1], one[1], movies[:, -1:]])
    return pair_scores(left, right, rows.user_idx, rows.movie_idx)


def _unsure(users: Side, movies: Side, rated: sp.csr_array, n: int) -> npt.NDArray[np.float64]:
    """What uncertain vectors add to the expected squared errors, summed by user; (users,).

    Of the covariances only the diagonals are counted, which is what most of it comes from.
    """
    doubt_u = np.einsum("nii->ni", users.covariance)
    doubt_m = np.einsum("nii->ni", movies.covariance)
    square_u = users.mean[:, :-1] ** 2
    square_m = movies.mean[:, :-1] ** 2
    by_user = ((rated @ (square_m + doubt_m[:, :-1])) * doubt_u[:, :-1]).sum(axis=1)
    by_movie = (square_u * (rated @ doubt_m[:, :-1])).sum(axis=1)
    biases = doubt_u[:, -1] * np.diff(rated.indptr) + rated @ doubt_m[:, -1]
    return (by_user + by_movie + biases).astype(np.float64)
