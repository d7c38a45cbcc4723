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
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.models.posterior import BLOCK_ROWS, Grouped, Side, drawn_rows, grouped, posterior
from movierec.models.ridge import Inputs, matrix_inputs, ridge_regression
from movierec.spread import Held, Spread, Threads
from movierec.vectors import Rows, pair_scores

Array = npt.NDArray[np.float32]

STRIP = 8  # columns of a tower fitted by one call, at least
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
SETTLED = 1e-4  # of the noise: a pass that takes less off it is the last, of
LEAST = 8  # passes or more


@dataclass(frozen=True)
class FactorConfig:
    """Settings of a factor model."""

    factors: int = 40  # of each member; a vector has these and a bias
    passes: int = 16  # of the coordinate ascent, at most
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


def known_rows(ratings: Grouped, attributes: Array) -> sp.csr_array:
    """Attributes (n, a), a constant and the logarithm of the number of ratings + 1; (n, a + 2)."""
    count = np.diff(ratings.start)
    known = np.column_stack([attributes, np.full(len(count), 0.3), 0.3 * np.log1p(count)])
    return sp.csr_array(known.astype(np.float32))


def tower_inputs(own: Grouped, other: Grouped, known: sp.csr_array, shrink: float) -> Inputs:
    """What a tower sees: the other side's rows that stand in ratings with it, and attributes.

    Args:
        own, other: the ratings by the tower's own side, of n rows, and by the other, of m.
        known: (n, a + 2), of `known_rows`.
        shrink: a row with c ratings holds 1 / sqrt(c + shrink) for each.

    Returns:
        A matrix of (n, m + a + 2).
    """
    n, m = len(own.start) - 1, len(other.start) - 1
    scale = ((np.diff(own.start) + shrink) ** -0.5).astype(np.float32)[:, None]
    by_attributes = matrix_inputs(known)
    rated, raters = own.rated(0, n), other.rated(0, m)

    def forward(weights: Array) -> Array:
        product = rated @ weights[:m]
        product *= scale
        product += by_attributes.forward(weights[m:])
        return product

    def backward(vectors: Array) -> Array:
        return np.concatenate([raters @ (vectors * scale), by_attributes.backward(vectors)])

    return Inputs(forward, backward, m + by_attributes.size)


def fit_factors(
    rows: Rows,
    user_attributes: Array,
    movie_attributes: Array,
    recipe: FactorConfig,
    seed: int,
    noise_by_user: bool = False,
    on_pass: Callable[[int, Factors], None] | None = None,
    start: tuple[int, Factors] | None = None,
    spread: Spread | None = None,
) -> Factors:
    """Fit one factor model.

    Args:
        rows: training ratings, in which every user and every film appears.
        user_attributes: (users, a).
        movie_attributes: (films, b).
        recipe: factors, passes, and the ridge of both towers.
        seed: of the start; another start ends in another, about equally good place.
        noise_by_user: whether each user's ratings have a noise of their own.
        on_pass: called after each pass with its number, from 1, and the model so far; the last has
            that of `recipe.passes`, even where the noise has settled before.
        start: what `on_pass` was called with, to go on from there with the same bits.
        spread: what works on blocks of users and films; the threads of this process, if not given.

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
    spread = spread or Threads()
    user_known = known_rows(by_user, user_attributes)
    movie_known = known_rows(by_movie, movie_attributes)
    held_users, held_movies = spread.hold(by_user), spread.hold(by_movie)
    user_tower = _Tower(
        held_users, held_movies, spread.hold(user_known), USER_SHRINK, recipe.user_ridge
    )
    movie_tower = _Tower(
        held_movies, held_users, spread.hold(movie_known), MOVIE_SHRINK, recipe.movie_ridge
    )
    users = _start(rng, n, k, m + user_known.shape[1])
    movies = _start(rng, m, k, n + movie_known.shape[1])
    user_sample, movie_sample = drawn_rows(rng, by_user), drawn_rows(rng, by_movie)
    alike = np.ones(n, np.float32), np.ones(m, np.float32)
    model = Factors(float(mean), 0.8, users, movies, *alike, np.zeros_like(movies.mean))
    done, model = start or (0, model)
    for number in range(done + 1, recipe.passes + 1):
        _, noise, users, movies, weight, heard, step = model
        # the last passes go the same way in ever smaller steps, which this spares
        ahead = movies.mean + (AHEAD * step if number > SETTLING else 0)
        seen, sure = movies._replace(mean=ahead), weight / np.float32(noise)
        users, doubt, errors = posterior(users, seen, held_users, user_sample, sure, heard, spread)
        users = _fit_tower(users, doubt, user_tower, spread)
        if noise_by_user:
            own = OWN_NOISE * (errors + NOISE_RATINGS * noise) / (count + NOISE_RATINGS)
            noise = 1 / float(np.average(1 / own, weights=count))
            weight = (noise / own).astype(np.float32)
        else:
            noise = float(errors.sum(dtype=np.float64) / count.sum())
        sure, before = heard / np.float32(noise), movies.mean
        movies, doubt, errors = posterior(
            movies, users, held_movies, movie_sample, sure, weight, spread
        )
        movies = _fit_tower(movies, doubt, movie_tower, spread)
        own = (errors + MOVIE_NOISE_RATINGS * noise) / (raters + MOVIE_NOISE_RATINGS)
        heard = (np.average(1 / own, weights=raters) ** -1 / own).astype(np.float32)
        fallen, step = 1 - noise / model.noise, movies.mean - before
        model = Factors(float(mean), noise, users, movies, weight, heard, step)
        last = number >= LEAST and fallen < SETTLED
        if on_pass:
            on_pass(recipe.passes if last else number, model)
        if last:
            break
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


class _Tower(NamedTuple):
    """What one side's tower is fitted from, see `tower_inputs`, and its ridge."""

    own: Held[Grouped]
    other: Held[Grouped]
    known: Held[sp.csr_array]
    shrink: float
    ridge: float


def _fit_tower(side: Side, doubt: npt.NDArray[np.float64], tower: _Tower, spread: Spread) -> Side:
    """The tower and the precision that fit a side's vectors; doubt: the sum of covariances.

    The columns of a tower know nothing of each other, and are fitted some at a time.
    """
    width = side.mean.shape[1]
    calls = max(min(spread.size, width // STRIP), 1)
    edges = [width * call // calls for call in range(calls + 1)]
    arrays = side.mean, side.tower, side.expected
    given = [
        (tower.shrink, tower.ridge, *(np.ascontiguousarray(array[:, a:b]) for array in arrays))
        for a, b in pairwise(edges)
    ]
    fitted = list(spread.map(_fit_columns, tower[:3], given))
    weights, expected = (np.concatenate(parts, axis=1) for parts in zip(*fitted, strict=True))
    left = side.mean - expected
    # the small multiple of the identity is a prior that keeps the matrix regular
    around = doubt + 0.05 * np.eye(width)
    for a in range(0, len(left), BLOCK_ROWS):
        part = left[a : a + BLOCK_ROWS]
        around += part.T @ part
    precision = np.linalg.inv(around / (len(left) + 1)).astype(np.float32)
    return side._replace(tower=weights, expected=expected, precision=precision)


def _fit_columns(
    own: Grouped,
    other: Grouped,
    known: sp.csr_array,
    shrink: float,
    ridge: float,
    mean: Array,
    weights: Array,
    expected: Array,
) -> tuple[Array, Array]:
    """Some columns of a tower, from where the pass before left them."""
    inputs = tower_inputs(own, other, known, shrink)
    return ridge_regression(inputs, mean, ridge, SOLVER_STEPS, (weights, expected))
