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
import scipy.sparse as sp

from movierec.models.posterior import BLOCK_ROWS, RANK, Observed, Side, observed, ones, posterior
from movierec.models.ridge import Inputs, matrix_inputs, ridge_regression
from movierec.spread import Spread, by_threads
from movierec.vectors import Array, Pair, Rows, pair_scores

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
    passes: int = 20  # of the coordinate ascent, at most
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
    rated: sp.csr_array, raters: sp.csr_array, attributes: Array, shrink: float
) -> Inputs:
    """What a tower sees: the other side's rows that stand in ratings with it, and what is known.

    Known of a row are its attributes, a constant and the logarithm of its number of ratings + 1.

    Args:
        rated, raters: ones where there are ratings, (n, m), and the same transposed.
        attributes: (n, a).
        shrink: a row with c ratings holds 1 / sqrt(c + shrink) for each.

    Returns:
        A matrix of (n, m + a + 2).
    """
    (n, m), count = rated.shape, np.diff(rated.indptr)
    scale = ((count + shrink) ** -0.5).astype(np.float32)[:, None]
    known = np.column_stack([attributes, np.full(n, 0.3), 0.3 * np.log1p(count)])
    by_known = matrix_inputs(sp.csr_array(known.astype(np.float32)))

    def forward(weights: Array) -> Array:
        seen = rated @ weights[:m]
        seen *= scale
        seen += by_known.forward(weights[m:])
        return seen

    def backward(vectors: Array) -> Array:
        return np.concatenate([raters @ (vectors * scale), by_known.backward(vectors)])

    return Inputs(forward, backward, m + by_known.size)


def fit_factors(
    rows: Rows,
    attributes: Pair,
    recipe: FactorConfig,
    seed: int,
    noise_by_user: bool = False,
    on_pass: Callable[[int, Factors], None] | None = None,
    start: tuple[int, Factors] | None = None,
    spread: Spread = by_threads,
) -> Factors:
    """Fit one factor model.

    Args:
        rows: training ratings, in which every user and every film appears.
        attributes: (users, a) and (films, b).
        recipe: factors, passes, and the ridge of both towers.
        seed: of the start; another start ends in another, about equally good place.
        noise_by_user: whether each user's ratings have a noise of their own.
        on_pass: called after each pass with its number, from 1, and the model so far; the last has
            that of `recipe.passes`, even where the noise has settled before.
        start: what `on_pass` was called with, to go on from there with the same bits.
        spread: what works on blocks of users and films.
    """
    rng = np.random.default_rng(seed)
    model = beginning(rng, attributes, recipe.factors)
    mean = np.float32(rows.rating.mean(dtype=np.float64))
    shape, stars = tuple(map(len, attributes)), rows.rating - mean
    by_user = sp.csr_array((stars, (rows.user_idx, rows.movie_idx)), shape=shape)
    by_movie = sp.csr_array((stars, (rows.movie_idx, rows.user_idx)), shape=shape[::-1])
    rated, raters = (ones(ratings, 0, ratings.shape[0]) for ratings in (by_user, by_movie))
    users_seen = tower_inputs(rated, raters, attributes[0], USER_SHRINK)
    movies_seen = tower_inputs(raters, rated, attributes[1], MOVIE_SHRINK)
    of_users = _Half(observed(rng, by_user), users_seen, recipe.user_ridge)
    of_movies = _Half(observed(rng, by_movie), movies_seen, recipe.movie_ridge)
    user_count, movie_count = np.diff(by_user.indptr), np.diff(by_movie.indptr)
    done, model = start or (0, model)
    for number in range(done + 1, recipe.passes + 1):
        _, noise, users, movies, weight, heard, step = model
        # the last passes go the same way in ever smaller steps, which this spares
        seen = movies._replace(mean=movies.mean + (AHEAD * step if number > SETTLING else 0))
        users, errors = _pass(users, seen, of_users, (weight / np.float32(noise), heard), spread)
        if noise_by_user:
            own = OWN_NOISE * (errors + NOISE_RATINGS * noise) / (user_count + NOISE_RATINGS)
            noise = 1 / float(np.average(1 / own, weights=user_count))
            weight = (noise / own).astype(np.float32)
        else:
            noise = float(errors.sum(dtype=np.float64) / user_count.sum())
        sure = heard / np.float32(noise), weight
        movies, errors = _pass(movies, users, of_movies, sure, spread)
        own = (errors + MOVIE_NOISE_RATINGS * noise) / (movie_count + MOVIE_NOISE_RATINGS)
        heard = (np.average(1 / own, weights=movie_count) ** -1 / own).astype(np.float32)
        last = number >= LEAST and 1 - noise / model.noise < SETTLED
        step = movies.mean - model.movies.mean
        model = Factors(float(mean), noise, users, movies, weight, heard, step)
        if on_pass:
            on_pass(recipe.passes if last else number, model)
        if last:
            break
    return model


def leverage(model: Factors, rows: Rows) -> Array:
    """How far predictions of what was fitted follow a change of each rating; (n,), 0 to 1."""

    def along(own: Side, other: Side) -> Array:
        """[q, 1]' matrix [q, 1] of each of the other side's vectors and `own.basis`; (m, r)."""
        met = np.column_stack([other.mean[:, :-1], np.ones(len(other.mean), np.float32)])
        return np.stack([((met @ matrix) * met).sum(axis=1) for matrix in own.basis], axis=1)

    pairs = rows.user_idx, rows.movie_idx
    doubt = pair_scores(model.users.doubt, along(model.users, model.movies), *pairs)
    doubt += pair_scores(along(model.movies, model.users), model.movies.doubt, *pairs)
    weight = model.weight[rows.user_idx] * model.movie_weight[rows.movie_idx] / model.noise
    return np.clip(TOWERS_TOO * weight * doubt, 0, MOST_LEVERAGE, dtype=np.float32)


def beginning(rng: np.random.Generator, attributes: Pair, factors: int) -> Factors:
    """A model that has seen no star, for as many users and films as have attributes."""
    ((n, a), (m, b)), width = (each.shape for each in attributes), factors + 1
    unit = np.eye(width, dtype=np.float32)

    def side(rows: int, inputs: int) -> Side:
        mean = np.zeros((rows, width), np.float32)
        mean[:, :factors] = rng.normal(0, 0.1, (rows, factors))
        doubt = np.zeros((rows, min(RANK, rows)), np.float32)
        basis = np.zeros((doubt.shape[1], width, width), np.float32)
        doubt[:, 0], basis[0] = 0.01, unit
        tower = np.zeros((inputs, width), np.float32)
        return Side(mean, doubt, basis, tower, np.zeros_like(mean), 10 * unit)

    users, movies = side(n, m + a + 2), side(m, n + b + 2)
    alike = np.ones(n, np.float32), np.ones(m, np.float32)
    return Factors(0.0, 0.8, users, movies, *alike, np.zeros_like(movies.mean))


class _Half(NamedTuple):
    """What one side is fitted from in every pass."""

    given: Observed
    inputs: Inputs  # of its tower
    ridge: float  # likewise


def _pass(
    side: Side, other: Side, half: _Half, weights: Pair, spread: Spread
) -> tuple[Side, Array]:
    """A side's vectors, then the tower and the precision that fit these; errors as `posterior`."""
    side, doubt, errors = posterior(side, other, half.given, weights, spread)
    start = side.tower, side.expected
    tower, expected = ridge_regression(half.inputs, side.mean, half.ridge, SOLVER_STEPS, start)
    left = side.mean - expected
    # the small multiple of the identity is a prior that keeps the matrix regular
    around = doubt + 0.05 * np.eye(left.shape[1])
    for a in range(0, len(left), BLOCK_ROWS):
        part = left[a : a + BLOCK_ROWS]
        around += part.T @ part
    precision = np.linalg.inv(around / (len(left) + 1)).astype(np.float32)
    return side._replace(tower=tower, expected=expected, precision=precision), errors
