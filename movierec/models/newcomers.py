"""New people and new films: vectors for whom the training has never seen.

**People.** What the trained users' vectors look like is the prior: their mean given attributes and
a history of n films, and their covariance about it, learned on the training users with their
histories cut to n films at random. Each rating then moves the vector by Bayes' rule, exactly: with
Gaussian noise that is one small linear system, the order of the ratings does not matter, and the
result is a sum of one part for each rating, which is what an explanation shows.

**Films.** What their genres and year say, by a ridge regression to the trained films' vectors, at
the level of each user: of what they give a usual film the larger part is the mean of their ratings.

Both need more columns than the d of trained vectors, so that the vectors of a run have d + q + 2:

| columns | a user's entries | a film's entries |
| --- | --- | --- |
| d + 1 to d + q | see `nearby`; for a new user the same sum | see there; 0 for a new film |
| chosen | 0; for a new user, more the fewer ratings | stars above what others would give |
| mean | mean of the user's ratings | 0; for a new film, the weight of that mean |

Nothing here looks into a model: the vectors may come from a network or from factors.

Reference:
    Bishop (2006), Pattern Recognition and Machine Learning, section 2.3.3 (linear Gaussian models).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.models.factors import USER_SHRINK
from movierec.models.nearby import near_errors
from movierec.models.ridge import Inputs, matrix_inputs, ridge_regression
from movierec.vectors import Array, Pair, Rows, pair_scores

Indices = npt.NDArray[np.integer]

SIZES = np.array([0, 1, 2, 3, 5, 8, 13, 20, 40, 80, 160])  # films in the cut histories
RIDGE = 30.0  # of the tower of new users
ALIKE = 2.0  # length of films' vectors there: what is learned of a film is that of its like
USER_WEIGHT = 0.5  # a user with n ratings counts n to this power there
SOLVER_STEPS = 20
MOST_ASKED = 10_000  # users that the tower is learnt from; each takes a row for each of `SIZES`
LEFT_OUT = 1e-5
SPREAD = 1.35  # trained vectors are drawn to their tower's output: people differ more than these
LEAST_NOISE = 1e-4  # stars squared, of data in which all is as predicted
SCALE = 0.3  # of the entries that are no films, as of attributes
CHOSEN = 12.0  # ratings after which being chosen counts half
DAMPING = 5.0  # ratings at the overall mean that each mean starts with
MOVIE_RIDGE = 0.3  # of the regression of films
MOVIE_WEIGHT = 0.5  # a film with n ratings counts n to this power there
MOVIE_SHARE = 0.8  # of what attributes say of a new film
MEAN_SHARE = 0.65  # of a user's mean in what they give a usual film


class Newcomers(NamedTuple):
    """What is known of vectors before a user or a film has ratings; d entries each."""

    center: Array  # (d,), mean of the training users' vectors
    history: Array  # (movie rows, d), from a history to what a vector differs from the center
    tower: Array  # (attributes + 2, d), the same from attributes and the size of the history
    covariance: Array  # (sizes, d, d), of vectors about what these say, for histories of `SIZES`
    noise: Array  # (1,), variance of a rating about its prediction, stars squared
    mean: Array  # (1,), mean of the users' means, stars
    movie_center: Array  # (d,), mean of the training films' vectors, by weight
    movie_tower: Array  # (attributes, d), from attributes to what a vector differs from it


class NewUser(NamedTuple):
    """A new user's vector and where it comes from: the base and the parts add up to it."""

    vector: Array  # (d + q + 2,)
    base: Array  # (d + q + 2,), what is there without ratings
    parts: Array  # (n, d + q + 2), what each rated film adds, by being rated and by its stars


def learn_newcomers(
    vectors: Pair, attributes: Pair, rows: Rows, near: Array, seed: int
) -> tuple[Newcomers, Array, Array]:
    """Learn what vectors are like before ratings are known, and give vectors to all rows.

    Args:
        vectors: (user rows, d) and (movie rows, d), trained; NaN in rows of which the training has
            no vector, and which get those of newcomers.
        attributes: (user rows, a) and (movie rows, b).
        rows: training ratings.
        near: (movie rows, q), `nearby.near_features`.
        seed: of the films that stay in a cut history, and of the users learnt from where there are
            more than `MOST_ASKED`.

    Returns:
        What was learned, and float32 (user rows, d + q + 2) and (movie rows, d + q + 2).
    """
    told = [~np.isnan(each[:, 0]) for each in vectors]
    users, movies = (np.nan_to_num(each) for each in vectors)
    user_attributes, movie_attributes = attributes
    known = np.unique(rows.user_idx)
    center = users[known].mean(axis=0)
    rng = np.random.default_rng(seed)
    asked = np.sort(rng.choice(known, min(len(known), MOST_ASKED), replace=False))
    heard = rows.take(np.flatnonzero(np.isin(rows.user_idx, asked)))
    way = _directions(users[asked] - center)
    targets = np.subtract(users[asked], center) @ way  # (n, q); `-` is typed float64
    inputs = _cut_histories(heard, asked, len(movies), user_attributes[asked], seed)
    weight = np.bincount(heard.user_idx, minlength=len(users))[asked] ** USER_WEIGHT
    tower = _user_regression(inputs, targets, movies, weight)
    share = (SPREAD * weight / weight.sum())[:, None]
    left = (targets - part @ tower for part in inputs)
    covariance = np.array([way @ (each.T @ (share * each)) @ way.T for each in left], np.float32)
    history, tower = np.split(tower @ way.T, [len(movies)])
    error = rows.rating - pair_scores(users, movies, rows.user_idx, rows.movie_idx)
    # never none, or ratings that contradict each other could not be weighed
    noise = np.array([max(np.mean(error**2, dtype=np.float64), LEAST_NOISE)], np.float32)
    near, felt = near_errors(near, rows, error, len(users))

    mean = float(rows.rating.mean(dtype=np.float64))
    user_mean = mean + _damped(rows.user_idx, rows.rating - mean, len(users))
    film_mean = mean + _damped(rows.movie_idx, rows.rating - mean, len(movies))
    usual = np.array([user_mean.astype(np.float32).mean()])
    of_films = _film_regression(movies, movie_attributes, rows)
    learned = Newcomers(center, history, tower, covariance, noise, usual, *of_films)
    nobody = np.zeros(0, np.int32), np.zeros(0, np.float32)
    films = np.column_stack([movies, near, np.zeros((len(movies), 2), np.float32)])
    average = new_user(learned, films, user_attributes[known].mean(axis=0), *nobody)
    rated = np.bincount(rows.movie_idx, minlength=len(movies)) > 0
    films[:, -2] = np.where(rated, film_mean - films[:, :-2] @ average.base[:-2], 0)
    films[~told[1]] = new_movies(learned, movie_attributes[~told[1]], near.shape[1])
    people = np.column_stack([users, felt, np.zeros_like(user_mean), user_mean]).astype(np.float32)
    for row in np.flatnonzero(~told[0]):
        people[row] = new_user(learned, films, user_attributes[row], *nobody).vector
    return learned, people, films


def _directions(vectors: Array) -> Array:
    """The directions in which vectors differ at all: a network's 200 do so in some 60.

    Of (n, d) vectors about their mean, float32 (d, q), orthonormal.
    """
    variance, directions = np.linalg.eigh(vectors.T @ vectors)  # ascending
    kept = np.cumsum(variance) > LEFT_OUT * variance.sum()
    return directions[:, kept].astype(np.float32)


def new_user(
    newcomers: Newcomers, films: Array, attributes: Array, movie_idx: Indices, rating: Array
) -> NewUser:
    """The vector of a new user.

    Args:
        newcomers: the prior.
        films: (movie rows, d + q + 2), all films' vectors.
        attributes: (a,), as `attributes.encode_people` gives.
        movie_idx, rating: (n,) rated films, each once, and their stars; may be empty.
    """
    n = len(movie_idx)
    size = SCALE * np.array([np.log1p(n), np.sqrt(n / (n + USER_SHRINK))])
    rest = np.concatenate([attributes, size]).astype(np.float32)
    history = newcomers.history[movie_idx] / np.sqrt(n + USER_SHRINK)  # (n, d)
    base = newcomers.center + rest @ newcomers.tower
    prior = base + history.sum(axis=0)
    rated, near, gain = _gain(newcomers, films, movie_idx, _covariance(newcomers, n))
    parts = history + (rating - rated @ prior)[:, None] * gain
    error = rating - rated @ (base + parts.sum(axis=0))
    mean = newcomers.mean[0]
    chosen = CHOSEN / (n + CHOSEN)
    whole = np.concatenate([base, np.zeros(near.shape[1]), [chosen, mean]]).astype(np.float32)
    shifts = (rating - mean) / (n + DAMPING)
    felt = error[:, None] * near
    added = np.column_stack([parts, felt, np.zeros(n), shifts]).astype(np.float32)
    return NewUser(whole + added.sum(axis=0), whole, added)


def left_to_learn(
    newcomers: Newcomers, films: Array, movie_idx: Indices
) -> npt.NDArray[np.floating]:
    """What is not known of a new user's vector after some ratings: its covariance, (d, d).

    It depends on which films were rated, not on their stars. Arguments as in `new_user`.
    """
    covariance = _covariance(newcomers, len(movie_idx))
    rated, _, gain = _gain(newcomers, films, movie_idx, covariance)
    return covariance - covariance @ rated.T @ gain


def updated_user(
    newcomers: Newcomers,
    films: Array,
    vector: Array,
    before: Indices,
    movie_idx: Indices,
    rating: Array,
) -> Array:
    """The vector of a known user after further ratings.

    The trained vector is where it starts; how far it can still move is what is left of the prior's
    covariance after the ratings that it was trained on.

    Args:
        newcomers, films: as in `new_user`.
        vector: (d + q + 2,), the user's.
        before: (m,) films that they had rated.
        movie_idx, rating: (n,) films that they have rated since, each once, and their stars.

    Returns:
        float32 (d + q + 2,).
    """
    d, covariance = len(newcomers.center), left_to_learn(newcomers, films, before)
    rated, near, gain = _gain(newcomers, films, movie_idx, covariance)
    moved = vector[:d] + (rating - rated @ vector[:d]) @ gain
    felt = vector[d:-2] + (rating - rated @ moved) @ near
    mean = vector[-1] + np.sum(rating - vector[-1]) / (len(before) + len(movie_idx) + DAMPING)
    return np.concatenate([moved, felt, [vector[-2], mean]]).astype(np.float32)


def _gain(
    newcomers: Newcomers, films: Array, movie_idx: Indices, covariance: npt.NDArray[np.floating]
) -> tuple[Array, Array, npt.NDArray[np.floating]]:
    """Trained entries of n rated films, those of what is near, and how far a surprise moves a user.

    With C (d, d) the vector's covariance before the ratings and R (n, d) the rated films', it is
    G = (R C R' + noise)^-1 R C, (n, d), by a system of n equations or, for long histories, of d:
    G' = (noise + C R'R)^-1 C R'.
    """
    d, n, noise = len(newcomers.center), len(movie_idx), newcomers.noise
    rated, near = films[movie_idx, :d], films[movie_idx, d:-2]
    spread = rated @ covariance  # (n, d)
    if n <= d:
        gain = np.linalg.solve(spread @ rated.T + noise * np.eye(n), spread)
    else:
        gain = np.linalg.solve(noise * np.eye(d) + spread.T @ rated, spread.T).T
    return rated, near, gain


def _covariance(newcomers: Newcomers, n: int) -> npt.NDArray[np.floating]:
    """Of vectors about the tower's output, for a history of n films; (d, d)."""
    place = np.interp(n, SIZES, np.arange(len(SIZES)))
    low = min(int(place), len(SIZES) - 2)
    share = place - low
    return (1 - share) * newcomers.covariance[low] + share * newcomers.covariance[low + 1]


def new_movies(newcomers: Newcomers, attributes: Array, near: int) -> Array:
    """The vectors of n films of these attributes, (n, b), float32 (n, d + q + 2); `near` is q."""
    vectors = (1 - MEAN_SHARE) * newcomers.movie_center
    vectors = vectors + MOVIE_SHARE * (attributes @ newcomers.movie_tower)
    rest = np.zeros((len(vectors), near + 1)), np.full(len(vectors), MEAN_SHARE)
    return np.column_stack([vectors, *rest]).astype(np.float32)


def _cut_histories(
    rows: Rows, known: Indices, movies: int, attributes: Array, seed: int
) -> list[sp.csr_array]:
    """The tower's inputs of all known users, for histories of each of `SIZES`."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(rows.user_idx)), rows.user_idx))  # shuffled within a user
    films, who = rows.movie_idx[order], np.searchsorted(known, rows.user_idx[order])
    counts = np.bincount(who, minlength=len(known))
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    inputs = []
    for size in SIZES:
        kept = place < size
        count = np.minimum(counts, size).astype(np.float32)
        values = ((count + USER_SHRINK) ** -0.5)[who[kept]]
        history = sp.csr_array((values, (who[kept], films[kept])), shape=(len(known), movies))
        sized = np.column_stack([np.log1p(count), np.sqrt(count / (count + USER_SHRINK))])
        extra = np.concatenate([attributes, SCALE * sized], axis=1).astype(np.float32)
        inputs.append(sp.hstack([history, sp.csr_array(extra)], format="csr"))
    return inputs


def _user_regression(
    inputs: list[sp.csr_array], targets: Array, movies: Array, weight: npt.NDArray[np.floating]
) -> Array:
    """The tower of new users, (movie rows + attributes + 2, q).

    What is learned of a film is the sum of its own weights and those of the entries of its vector:
    films that are alike say alike things of whoever chooses them, and most are too rare to learn
    each by itself. The inputs are those of `_cut_histories`, the targets (n, q), of weights (n,).
    """
    root = np.tile(np.sqrt(weight / weight.mean()), len(inputs)).astype(np.float32)
    weighed = sp.vstack(inputs, format="csr")
    weighed.data *= np.repeat(root, np.diff(weighed.indptr))
    plain = matrix_inputs(weighed)
    films, size = len(movies), plain.size
    # of a rated film's; any, where a recipe has none but zeros
    length = np.sqrt((movies**2).sum() / max(int(movies.any(axis=1).sum()), 1)) or 1.0
    traits = (ALIKE / length * movies).astype(np.float32)

    def whole(weights: Array) -> Array:
        own = weights[:size].copy()
        own[:films] += traits @ weights[size:]
        return own

    def backward(vectors: Array) -> Array:
        own = plain.backward(vectors)
        return np.concatenate([own, traits.T @ own[:films]])

    every = Inputs(lambda weights: plain.forward(whole(weights)), backward, size + traits.shape[1])
    wanted = root[:, None] * np.tile(targets, (len(inputs), 1))
    return whole(ridge_regression(every, wanted, RIDGE, SOLVER_STEPS)[0])


def _film_regression(movies: Array, attributes: Array, rows: Rows) -> tuple[Array, Array]:
    """Weighted mean of the rated films' vectors, and the ridge regression about it."""
    count = np.bincount(rows.movie_idx, minlength=len(movies))
    weight = count**MOVIE_WEIGHT / np.mean(count[count > 0] ** MOVIE_WEIGHT)
    center = np.average(movies, axis=0, weights=weight)
    weighed = attributes * weight[:, None]
    square = attributes.T @ weighed + MOVIE_RIDGE * np.eye(attributes.shape[1])
    tower = np.linalg.solve(square, weighed.T @ (movies - center))
    return center.astype(np.float32), tower.astype(np.float32)


def _damped(idx: Indices, offset: Array, rows: int) -> npt.NDArray[np.float64]:
    """Means of offsets by row, damped towards 0."""
    return np.bincount(idx, offset, rows) / (np.bincount(idx, minlength=rows) + DAMPING)
