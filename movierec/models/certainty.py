"""How far a rating lies from its prediction: a standard deviation for every person and film.

Some people rate as they feel that day, some films divide, and of some too little is known. The
variance of a rating about its prediction is taken as a product of three, each found from squared
errors of ratings that the prediction did not know:

    variance(u, i) = by_stars(prediction) * exp(users[u] + films[i])

A person's own term is their mean squared error, drawn towards that of others with as many ratings
as if these were `DAMPING` ratings more. Newcomers, who have made no errors, have the usual variance
and what is not known of their vectors besides.

The chance that somebody gives `LIKED` stars or more is a logistic function of how many standard
deviations the prediction lies above `BETWEEN`.

Reference:
    Vehtari, Gelman and Gabry (2017), Practical Bayesian Model Evaluation using Leave-one-out
    Cross-validation, for errors of ratings that were learned; Platt (1999), Probabilistic Outputs
    for Support Vector Machines, for the chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.models.newcomers import Newcomers
from movierec.vectors import LIKED, Array, Indices, Rows, pair_scores

BETWEEN = 3.5  # stars at which it is liked as well as not
KNOTS = 9  # predictions between which the variance is interpolated
COUNTS = 12  # numbers of ratings between which it is interpolated
DAMPING = 15.0  # ratings with which each person's or film's own term begins
ROUNDS = 4
LEAST = 0.05  # of the mean squared error, as a variance


class Certainty(NamedTuple):
    """What standard deviations and chances are worked out from."""

    users: Array  # (user rows,), logarithm of how many times the usual variance their ratings have
    films: Array  # (movie rows,), likewise
    new_film: Array  # (1,), the same of a film that nobody has rated
    usual: Array  # (1,), the mean variance, stars squared
    met: Array  # (d, d), second moment of the trained entries of the films that are rated
    knots: Array  # (k,), predicted stars, ascending
    by_stars: Array  # (k,), logarithm of the variance there, stars squared
    chance: Array  # (2,), logit of that of `LIKED` stars: at `BETWEEN`, and for each std above it

    def std(self, stars: Array, user: npt.ArrayLike, film: npt.ArrayLike) -> Array:
        """Standard deviations of ratings about their predictions, float32.

        Args:
            stars: predictions, of any shape.
            user, film: terms of the people and films, of shapes that go with it.
        """
        by_stars = np.interp(stars, self.knots, self.by_stars).astype(np.float32)
        return np.exp(0.5 * (by_stars + np.asarray(user) + np.asarray(film)), dtype=np.float32)

    def liked(self, stars: Array, std: Array) -> Array:
        """Chances of `LIKED` stars or more, float32, 0 to 1."""
        logit = self.chance[0] + self.chance[1] * (stars - BETWEEN) / std
        return (1 / (1 + np.exp(-np.clip(logit, -30, 30)))).astype(np.float32)


def learn_certainty(
    users: Array,
    films: Array,
    newcomers: Newcomers,
    movie_attributes: Array,
    learned: Rows,
    chosen: Rows,
    leverage: Array | None,
) -> Certainty:
    """Learn it from the ratings that the training was given.

    The errors of what was learned are too small. With the `leverage` of each rating they are those
    that there would be without it; else they are all scaled to the errors of `chosen`, and without
    these stay too small.

    Args:
        users, films: (user rows, d + q + 2) and (movie rows, d + q + 2), see `newcomers`.
        newcomers: what new films' vectors come from.
        movie_attributes: (movie rows, b).
        learned, chosen: training and validation ratings; of the latter there may be none.
        leverage: (learned ratings,), by how much a prediction follows a change of its own rating, 0
            to 1; None: not known.
    """
    d = len(newcomers.center)
    own, felt = [
        pair_scores(users[:, part], films[:, part], learned.user_idx, learned.movie_idx)
        for part in (slice(d), slice(d, None))
    ]
    error = learned.rating - own
    if leverage is not None:
        itself = (films[:, d:-2] ** 2).sum(axis=1)  # what a rating adds there to its own
        left_out = error / (1 - leverage) - (felt - error * itself[learned.movie_idx])
    else:
        left_out = error - felt
        if len(chosen.rating):
            new = chosen.rating - pair_scores(users, films, chosen.user_idx, chosen.movie_idx)
            left_out *= np.sqrt(np.mean(new**2) / max(float(np.mean(left_out**2)), 1e-9))
    # what is predicted is clipped to the stars that there are
    stars = np.clip(learned.rating - left_out, learned.rating.min(), learned.rating.max())
    found = _fitted(stars, learned._replace(rating=learned.rating - stars), len(users), len(films))
    weight = np.bincount(learned.movie_idx, minlength=len(films)) / len(learned.rating)
    vectors = films[:, :d]
    missed = vectors - newcomers.movie_center - movie_attributes @ newcomers.movie_tower
    people = np.bincount(learned.user_idx, minlength=len(users)) / len(learned.rating)
    square = users[:, :d].T @ (users[:, :d] * people[:, None])
    unknown = float(weight @ ((missed @ square) * missed).sum(axis=1))
    met = (vectors.T @ (vectors * weight[:, None])).astype(np.float32)
    new_film = np.log1p(unknown / found.usual)
    found.films[weight == 0] = new_film
    found.users[people == 0] = np.log1p(np.sum(newcomers.covariance[0] * met) / found.usual)
    return found._replace(new_film=new_film, met=met)


def _fitted(stars: Array, error: Rows, users: int, movies: int) -> Certainty:
    """Variances and chances of predictions (n,) that did not know their ratings.

    The errors are these less the stars; `new_film` and `met` are left zeros.
    """
    square = error.rating.astype(np.float64) ** 2
    usual = max(float(square.mean()), 1e-4)
    square += LEAST * usual  # nobody is free of error, however few ratings say so
    knots = np.unique(np.quantile(stars, np.linspace(0.005, 0.995, KNOTS)))
    sides, terms = error[:2], [np.zeros(users), np.zeros(movies)]
    for _ in range(ROUNDS):
        by_stars = _curve(stars, square / np.exp(terms[0][sides[0]] + terms[1][sides[1]]), knots)
        level = np.interp(stars, knots, by_stars)
        for side, rows in enumerate(sides):
            other = terms[1 - side][sides[1 - side]]
            terms[side] = _own(rows, square / np.exp(level + other), len(terms[side]))
    fitted = np.exp(level + terms[0][sides[0]] + terms[1][sides[1]])
    by_stars += np.log(usual / fitted.mean())
    arrays = (*terms, [0.0], [usual], [[0.0]], knots, by_stars, [0.0, 1.7])
    found = Certainty(*(np.asarray(each, np.float32) for each in arrays))
    std = found.std(stars, *(term[rows] for term, rows in zip(terms, sides, strict=True)))
    return found._replace(chance=_logistic((stars - BETWEEN) / std, stars + error.rating >= LIKED))


def _curve(
    value: npt.NDArray[np.floating], square: npt.NDArray[np.float64], knots: npt.NDArray
) -> npt.NDArray[np.float64]:
    """Logarithms of mean squares around each knot, by weights that fall to 0 at the next ones."""
    place = np.interp(value, knots, np.arange(len(knots)))
    low = np.minimum(place.astype(np.intp), max(len(knots) - 2, 0))
    share = place - low
    high = np.minimum(low + 1, len(knots) - 1)
    weight = np.bincount(low, 1 - share, len(knots)) + np.bincount(high, share, len(knots))
    total = np.bincount(low, (1 - share) * square, len(knots))
    total += np.bincount(high, share * square, len(knots))
    return np.log((total + DAMPING * square.mean()) / (weight + DAMPING))


def _own(rows: Indices, ratio: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Each row's term: the logarithm of its mean ratio, damped."""
    count = np.bincount(rows, minlength=size)
    logs = np.log1p(count)
    knots = np.unique(np.quantile(logs[rows], np.linspace(0, 1, COUNTS)))
    usual = np.exp(np.interp(logs, knots, _curve(logs[rows], ratio, knots)))
    mean = (np.bincount(rows, ratio, size) + DAMPING * usual) / (count + DAMPING)
    return np.log(mean)


def _logistic(value: Array, true: npt.NDArray[np.bool_]) -> Array:
    """Intercept and slope of a logistic regression, by Newton's method; float32 (2,)."""
    inputs = np.column_stack([np.ones(len(value)), value]).astype(np.float64)
    found = np.array([0.0, 1.7])
    for _ in range(ROUNDS * 2):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        weight = chance * (1 - chance)
        # the small multiple of the identity keeps data in which all is liked, or nothing, finite
        square = inputs.T @ (inputs * weight[:, None]) + np.eye(2)
        found += np.linalg.solve(square, inputs.T @ (true - chance) - (found - [0.0, 1.7]))
    return found.astype(np.float32)
