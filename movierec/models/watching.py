"""The watching half of a run: which films a person would watch, liked or not.

Two films belong together when the same people rate both. With X the (users, films) matrix of what
was rated, the linear item model of Steck (2019) predicts each column of X from all others by one
ridge regression; its weights from film j to film i are -P_ji / P_ii, where P is the inverse of
X'X + ridge. Here X'X is taken as its strongest directions plus what they leave on the diagonal, and
its inverse then needs no films x films matrix:

    P = 1 / d - F F'     d: (films,) ridge and what is left on the diagonal,  F: (films, r)

so that the weights are F_j . F_i / P_ii. A film has a vector F_i, which knows what is watched with
it, and a person is the sum of the vectors of their films. It is the same for every recipe.

Beside it counts what another kind of model says, which errs elsewhere: the factors of `implicit`,
the next columns of both matrices. Of somebody with few ratings both say little, so that a film's
popularity counts too: the last column.

Reference:
    Steck (2019), Embarrassingly Shallow Autoencoders for Sparse Data, section 3.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from movierec.models.implicit import fit_implicit, person_parts, seen_or_not
from movierec.models.neighbours import DIRECTIONS, fit_neighbours
from movierec.spread import product
from movierec.vectors import Array, Indices, Rows

RANK = 512  # directions kept of what is watched together
SPARE = 64  # directions beside these that are followed while they are looked for,
ITERATIONS = 6  # times
RIDGE = 800.0  # of the linear item model
STARS = [1.0, 2.0, 3.0, 4.0, 5.0]
WEIGHTS = [0.5, 0.6, 0.8, 1.0, 1.1]  # even a film that was disliked was chosen
NEW_RIDGE = 3.0  # of the regression for films that nobody rates
NEW_WEIGHT = 0.25  # a film counts there by its likes to this power
NEW_SHARE = 0.7  # of its scores: about as many new films are then shown as will be liked
POPULAR = 0.003  # weight of a film's popularity where there is no history
SHORT = 20.0  # ratings at which that weight has halved, and those at which the factors count half
FACTORS = 8  # directions for each factor of the model beside the linear one,
SHARE = 0.4  # and what it counts where a history is long
USUAL_HISTORY = 150.0  # ratings; heavy raters weigh less than in proportion to their pairs of films


class Watching(NamedTuple):
    """Vectors that know what is watched together.

    The product of a profile and a film's row of `watched` says how likely the film is watched.
    """

    # (user rows, r + k + 1): the weighted sum of the vectors F of the films they rated, what counts
    # of their factors, and the weight of popularity
    profiles: Array
    # (movie rows, r + k + 1): F_i / P_ii, its factors, and the share of the likes that a film has,
    # times the number of films rated
    watched: Array
    own: Array  # (movie rows,) P_ii, positive
    unseen: Array  # (k, k), see `implicit.seen_or_not`
    neighbours: Indices  # (movie rows, n), rows of the films that most go with each,
    correlation: Array  # (movie rows, n), and how much; see `neighbours.fit_neighbours`

    def vectors(self, movie_idx: Indices | int | slice) -> Array:
        """F of some films, (n, r), or of one, (r,)."""
        return self.linear(movie_idx) * self.own[movie_idx, None]

    def linear(self, movie_idx: Indices | int | slice = slice(None)) -> Array:
        """F_i / P_ii of some films, (n, r), or of one, (r,)."""
        return self.watched[movie_idx, : self.watched.shape[1] - 1 - len(self.unseen)]


def star_weights(rating: Array) -> Array:
    """What a rating of so many stars weighs in a history."""
    return np.interp(rating, STARS, WEIGHTS).astype(np.float32)


def profile_of(watching: Watching, movie_idx: Indices, rating: Array) -> Array:
    """The profile of somebody with these stars of n films, (n,) each; float32 (r + k + 1,)."""
    weight = POPULAR * SHORT / (SHORT + len(rating))
    return np.append(_parts(watching, movie_idx, rating).sum(axis=0), np.float32(weight))


def shares(watching: Watching, movie_idx: Indices, rating: Array, films: Indices) -> Array:
    """What each of n ratings, as in `profile_of`, adds to m films' being watched; (n, m)."""
    return _parts(watching, movie_idx, rating) @ watching.watched[films, :-1].T


def _parts(watching: Watching, movie_idx: Indices, rating: Array) -> Array:
    """What each of n ratings adds to a profile, (n, r + k)."""
    weight = star_weights(rating)
    linear = weight[:, None] * watching.vectors(movie_idx)
    factors = watching.watched[movie_idx, linear.shape[1] : -1]
    parts = person_parts(factors, weight, watching.unseen)
    return np.hstack([linear, _counting(len(parts)) * parts])


def _counting(n: npt.ArrayLike) -> Array:
    """What factors found from n ratings count: of few they say less than the linear model."""
    return np.float32(SHARE) * (n / np.add(n, SHORT)).astype(np.float32)


def fit_watching(rows: Rows, users: int, attributes: Array, rank: int = RANK) -> Watching:
    """Fit the model; all rows get vectors.

    Args:
        rows: training ratings.
        users: number of user rows.
        attributes: (movie rows, b), see `attributes.movie_attributes`: what films that nobody
            rates are taken for.
        rank: directions that are kept, at most.
    """
    movies = len(attributes)
    place = (rows.user_idx, rows.movie_idx)
    history = sp.csr_array((star_weights(rows.rating), place), shape=(users, movies))
    count = np.maximum(np.diff(history.indptr), 1)
    # each pair of films of a person with n ratings counts n^-1/4, not 1
    damped = sp.diags_array(((count / USUAL_HISTORY) ** -0.125).astype(np.float32)) @ history
    # small data has few directions that are more than chance
    rank = max(min(rank, min(damped.shape) // 4), 1)
    strength, directions = strongest_directions(damped, rank)  # (r,), (films, r)
    kept = strength > 1e-6 * strength.max()
    strength, directions = strength[kept], directions[:, kept]
    diagonal = np.asarray(damped.multiply(damped).sum(axis=0)).ravel()
    left = np.maximum(diagonal - (directions**2) @ strength, 0) + RIDGE
    # Woodbury: (left + E s E')^-1 = 1 / left - W (1 / s + E' W)^-1 W',  W = E / left
    scaled = directions / left[:, None]
    inner = np.linalg.inv(np.diag(1 / strength) + directions.T @ scaled)
    vectors = (scaled @ np.linalg.cholesky(inner)).astype(np.float32)
    own = (1 / left - (vectors**2).sum(axis=1)).astype(np.float32)
    likes = np.bincount(rows.movie_idx[rows.rating >= 4], minlength=movies)
    share = likes / max(int(likes.sum()), 1) * np.count_nonzero(likes)
    popularity = np.where(np.diff(history.indptr), 0, POPULAR).astype(np.float32)
    k = max(rank // FACTORS, 1)  # a small data set bears few
    people, films = fit_implicit(history, directions[:, -k:], strength[-k:])
    unseen = seen_or_not(films)
    people *= _counting(np.diff(history.indptr))[:, None]
    profiles = np.column_stack([product(history, vectors), people, popularity])
    watched = np.column_stack([vectors / own[:, None], films, share])
    alike = strongest_directions(history, DIRECTIONS)
    nearest = fit_neighbours(history, alike[1] * np.sqrt(alike[0]))
    found = Watching(profiles, watched.astype(np.float32), own, unseen, *nearest)
    new = np.bincount(rows.movie_idx, minlength=movies) == 0
    found.watched[new], found.own[new] = unwatched(found, ~new, attributes, attributes[new])
    return found


def strongest_directions(matrix: sp.csr_array, rank: int) -> tuple[Array, Array]:
    """Largest eigenvalues of X'X and their eigenvectors, by randomised subspace iteration.

    A few products with whole blocks of vectors take a tenth of the time of a Lanczos iteration, and
    what they leave inexact is the weakest directions.

    Args:
        matrix: X, (n, m).
        rank: r, at most m.

    Returns:
        (r,) and (m, r).

    Reference:
        Halko, Martinsson and Tropp (2011), Finding Structure with Randomness, algorithm 4.4.
    """
    flipped = matrix.T.tocsr()
    size = matrix.shape[1], min(rank + SPARE, *matrix.shape)
    block = np.random.default_rng(0).normal(size=size).astype(np.float32)
    for _ in range(ITERATIONS):
        seen = product(flipped, product(matrix, block))
        # NumPy's would go over to double precision, in three times the time
        block, _ = scipy.linalg.qr(seen, mode="economic", overwrite_a=True)
    seen = product(matrix, block)
    strength, within = np.linalg.eigh((seen.T @ seen).astype(np.float64))
    directions = block @ within[:, -rank:].astype(np.float32)
    return np.maximum(strength[-rank:], 0).astype(np.float32), directions


def unwatched(
    watching: Watching, rated: npt.NDArray[np.bool_], known: Array, new: Array
) -> tuple[Array, np.float32]:
    """What films that nobody rates are taken for, by a ridge regression on their attributes.

    Args:
        watching: the model.
        rated: (movie rows,) whether somebody rates a film; from those it is learned.
        known: (movie rows, b), the attributes of all its films.
        new: (n, b), those of the films.

    Returns:
        Their rows of `watched`, (n, r + k + 1), and what each has as `own`.
    """
    inputs = known[rated]
    # a film that is rated and never liked counts a little, or nothing would where nobody likes any
    weight = (watching.watched[rated, -1] + 0.01) ** NEW_WEIGHT
    weighed = inputs * (weight / weight.mean())[:, None]
    square = inputs.T @ weighed + NEW_RIDGE * np.eye(inputs.shape[1])
    tower = np.linalg.solve(square, weighed.T @ watching.watched[rated, :-1])
    vectors = NEW_SHARE * (new @ tower)
    watched = np.column_stack([vectors, np.zeros(len(new))]).astype(np.float32)
    return watched, np.median(watching.own[rated])
