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

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.models.posterior import BLOCK_ROWS, Grouped, Side, drawn_rows, grouped, posterior
from movierec.models.ridge import Inputs, matrix_inputs, ridge_regression
from movierec.vectors import Rows, pair_scores

Array = npt.NDArray[np.float32]

PIECE = 1 << 18  # ratings multiplied at once by a tower
USER_SHRINK = 20.0  # a history of n films enters with 1 / sqrt(n + this) for each
MOVIE_SHRINK = 1.0  # likewise the raters of a film
NOISE_RATINGS = 20.0  # ratings of usual noise that a user's own noise starts with,
MOVIE_NOISE_RATINGS = 50.0  # and that of a film
SOLVER_STEPS = 4  # of the tower's solver, from where the pass before left it
OWN_NOISE = 0.93  # of what is found for each user: the average of members is then better
TOWERS_TOO = 1.2  # of a rating's leverage through vectors alone, what it has through towers, too
MOST_LEVERAGE = 0.7
AHEAD = 0.8  # of a film's last step, by which the users see it further on, after
SETTLING = 4  # passes


@dataclass(frozen=True)
class FactorConfig:
    """Settings of a factor model."""

    factors: int = 40  # of each member; a vector has these and a bias
    passes: int = 16  # of the coordinate ascent
    user_ridge: float = 5.0  # of the towers
    movie_ridge: float = 1.0


class Factors(NamedTuple):
    """A fitted factor model."""

    mean: float  # of the training ratings, stars
    noise: float  # variance of a rating about its prediction, stars squared
    users: Side
    movies: Side
    weight: Array  # (users,), of each user's ratings, 1 / their noise in units of `noise`
    movie_weight: Array  # (films,), likewise of each film's
    step: Array  # (films, k + 1), by which the films' vectors moved in the last pass


def tower_inputs(
    own: Grouped, other: Grouped, attributes: Array, shrink: float, pool: ThreadPoolExecutor
) -> Inputs:
    """What a tower sees: the other side's rows that stand in ratings with it, and attributes.

    Args:
        own, other: the ratings by the tower's own side, of n rows, and by the other, of m.
        attributes: (n, a).
        shrink: a row with c ratings holds 1 / sqrt(c + shrink) for each.
        pool: threads that multiply.

    Returns:
        A matrix of (n, m + a + 2); the last two columns are a constant and the logarithm of c + 1.
    """
    count = np.diff(own.start)
    scale = ((count + shrink) ** -0.5).astype(np.float32)[:, None]
    known = np.column_stack([attributes, np.full(len(count), 0.3), 0.3 * np.log1p(count)])
    by_attributes = matrix_inputs(sp.csr_array(known.astype(np.float32)))
    pieces = [own.rated(*block) for block in own.blocks(PIECE, PIECE)]
    flipped = [other.rated(*block) for block in other.blocks(PIECE, PIECE)]

    def forward(weights: Array) -> Array:
        films = weights[: own.columns]
        product = np.concatenate(list(pool.map(lambda piece: piece @ films, pieces)))
        product *= scale
        product += by_attributes.forward(weights[own.columns :])
        return product

    def backward(vectors: Array) -> Array:
        scaled = vectors * scale
        products = pool.map(lambda piece: piece @ scaled, flipped)
        return np.concatenate([*products, by_attributes.backward(vectors)])

    return Inputs(forward, backward, own.columns + by_attributes.size)


def fit_factors(
    rows: Rows,
    user_attributes: Array,
    movie_attributes: Array,
    recipe: FactorConfig,
    seed: int,
    noise_by_user: bool = False,
    on_pass: Callable[[int, Factors], None] | None = None,
    start: tuple[int, Factors] | None = None,
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
        start: what `on_pass` was called with, to go on from there with the same bits.

    Returns:
        The model.
    """
    n, m, k = len(user_attributes), len(movie_attributes), recipe.factors
    rng = np.random.default_rng(seed)
    mean = np.float32(rows.rating.mean(dtype=np.float64))
    stars = rows.rating - mean
    by_user = grouped(sp.csr_array((stars, (rows.user_idx, rows.movie_idx)), shape=(n, m)))
    by_movie = grouped(sp.csr_array((stars, (rows.movie_idx, rows.user_idx)), shape=(m, n)))
    count, raters = np.diff(by_user.start), np.diff(by_movie.start)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        user_inputs = tower_inputs(by_user, by_movie, user_attributes, USER_SHRINK, pool)
        movie_inputs = tower_inputs(by_movie, by_user, movie_attributes, MOVIE_SHRINK, pool)
        users = _start(rng, n, k, user_inputs.size)
        movies = _start(rng, m, k, movie_inputs.size)
        user_sample, movie_sample = drawn_rows(rng, by_user), drawn_rows(rng, by_movie)
        alike = np.ones(n, np.float32), np.ones(m, np.float32)
        model = Factors(float(mean), 0.8, users, movies, *alike, np.zeros_like(movies.mean))
        done, model = start or (0, model)
        for number in range(done + 1, recipe.passes + 1):
            _, noise, users, movies, weight, heard, step = model
            # the last passes go the same way in ever smaller steps, which this spares
            ahead = movies.mean + (AHEAD * step if number > SETTLING else 0)
            seen, sure = movies._replace(mean=ahead), weight / np.float32(noise)
            users, doubt, errors = posterior(users, seen, by_user, user_sample, sure, heard, pool)
            users = _fit_tower(users, doubt, user_inputs, recipe.user_ridge, pool)
            if noise_by_user:
                own = OWN_NOISE * (errors + NOISE_RATINGS * noise) / (count + NOISE_RATINGS)
                noise = 1 / float(np.average(1 / own, weights=count))
                weight = (noise / own).astype(np.float32)
            else:
                noise = float(errors.sum(dtype=np.float64) / count.sum())
            sure, before = heard / np.float32(noise), movies.mean
            movies, doubt, errors = posterior(
                movies, users, by_movie, movie_sample, sure, weight, pool
            )
            movies = _fit_tower(movies, doubt, movie_inputs, recipe.movie_ridge, pool)
            own = (errors + MOVIE_NOISE_RATINGS * noise) / (raters + MOVIE_NOISE_RATINGS)
            heard = (np.average(1 / own, weights=raters) ** -1 / own).astype(np.float32)
            step = movies.mean - before
            model = Factors(float(mean), noise, users, movies, weight, heard, step)
            if on_pass:
                on_pass(number, model)
    return model


def leverage(model: Factors, rows: Rows) -> Array:
    """By how much a prediction follows a change of the rating itself, float32 (n,), 0 to 1.

    Args:
        model: fitted to these ratings.
        rows: (n,) ratings.
    """

    def along(own: Side, other: Side) -> Array:
        """[q, 1]' matrix [q, 1] of each of the other side's vectors and `own.basis`; (m, r)."""
        met = np.column_stack([other.mean[:, :-1], np.ones(len(other.mean), np.float32)])
        return np.stack([((met @ matrix) * met).sum(axis=1) for matrix in own.basis], axis=1)

    pairs = rows.user_idx, rows.movie_idx
    doubt = pair_scores(model.users.doubt, along(model.users, model.movies), *pairs)
    doubt += pair_scores(along(model.movies, model.users), model.movies.doubt, *pairs)
    weight = model.weight[rows.user_idx] * model.movie_weight[rows.movie_idx] / model.noise
    return np.clip(TOWERS_TOO * weight * doubt, 0, MOST_LEVERAGE, dtype=np.float32)


def _start(rng: np.random.Generator, n: int, k: int, inputs: int) -> Side:
    mean = np.zeros((n, k + 1), np.float32)
    mean[:, :k] = rng.normal(0, 0.1, (n, k))
    unit = np.eye(k + 1, dtype=np.float32)
    doubt = np.full((n, 1), 0.01, np.float32)
    tower = np.zeros((inputs, k + 1), np.float32)
    return Side(mean, doubt, unit[None], tower, np.zeros_like(mean), 10 * unit)


def _fit_tower(
    side: Side,
    doubt: npt.NDArray[np.float64],
    inputs: Inputs,
    ridge: float,
    pool: ThreadPoolExecutor,
) -> Side:
    """The tower and the precision that fit a side's vectors; doubt: the sum of covariances."""
    start = side.tower, side.expected
    tower, expected = ridge_regression(inputs, side.mean, ridge, SOLVER_STEPS, start)
    left = side.mean - expected

    def square(a: int) -> Array:
        part = left[a : a + BLOCK_ROWS]
        return part.T @ part

    # the small multiple of the identity is a prior that keeps the matrix regular
    spread = doubt + 0.05 * np.eye(left.shape[1])
    for squares in pool.map(square, range(0, len(left), BLOCK_ROWS)):
        spread += squares
    precision = np.linalg.inv(spread / (len(left) + 1)).astype(np.float32)
    return side._replace(tower=tower, expected=expected, precision=precision)
