"""What the stars of near films know of a film's, beyond the leading factors.

A factor model keeps the few directions that explain most ratings, and leaves what holds for a few
films alone: somebody who gave the first part of a series a star more than expected will do so with
the second. That is in the errors that the training leaves. The expected error of a film is here the
sum of somebody's errors e of the films that they rated, each weighed by how near it is:

    share * sum over rated j of K_ij e_j,    K_ij = max(n_i . n_j, 0)^2

with n . n the correlation of who watches two films, by the directions of the watching half. It need
not be as fine as that of `neighbours`, by which films are compared, but be a product of vectors.
The share is found from what errors say of each other: next to nothing in a world whose films have
only leading factors. With the leading directions of share * K = F F' that is again a product of two
vectors, w = F' e and F_i, which stand behind the trained ones as columns like all others.

Reference:
    Koren (2008), Factorization Meets the Neighborhood, section 3 (neighbours of errors); Williams
    and Seeger (2000), Using the Nyström Method to Speed Up Kernel Machines, for many films.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from movierec.models.watching import Watching
from movierec.spread import in_threads
from movierec.vectors import Array, Rows, pair_scores

RESTORED = 2.5  # times what errors say of each other, of which the training has taken most,
MOST = 0.6  # and no larger share: in small data errors that were learned say too much
COLUMNS = 128  # directions of nearness that are kept
SPARE = 64  # followed beside these while they are looked for,
ITERATIONS = 8  # times
RARE = 0.25  # of a typical film's length, which damps the vectors of rare ones
LANDMARKS = 4096  # films, those with most ratings, which the directions are found from
BLOCK_FILMS = 512


def near_errors(features: Array, rows: Rows, error: Array, users: int) -> tuple[Array, Array]:
    """How much near films have to say, and what they say of the films near to people's.

    Args:
        features: (movie rows, q), F.
        rows, error: (n,) ratings, and how much more these are than the trained vectors predict.
        users: how many user rows there are.

    Returns:
        F times the root of the share, and w; float32 (movie rows, q) and (users, q).
    """
    errors = sp.csr_array((error, rows[:2]), shape=(users, len(features)))
    felt = (errors @ features).astype(np.float32)
    itself = (features**2).sum(axis=1)[rows.movie_idx]
    others = pair_scores(felt, features, *rows[:2]) - error * itself
    slope = float(others @ error) / max(float(others @ others), 1e-9)
    root = np.float32(np.sqrt(np.clip(RESTORED * slope, 0, MOST)))
    return root * features, root * felt


def near_features(watching: Watching, count: npt.NDArray[np.integer]) -> Array:
    """F, float32 (movie rows, q), of films with so many ratings each, `count` (movie rows,)."""
    near = near_vectors(watching)
    most = np.argsort(-count, kind="stable")[: min(LANDMARKS, np.count_nonzero(count))]
    marks = near[np.sort(most)]
    size = len(marks), min(COLUMNS + SPARE, len(marks))
    block = np.random.default_rng(0).normal(size=size).astype(np.float32)
    kernel = _by_blocks(_kernel, marks, marks)
    for _ in range(ITERATIONS):
        seen = _by_blocks(np.matmul, kernel, block)
        block, _ = scipy.linalg.qr(seen, mode="economic", overwrite_a=True)
    seen = _by_blocks(np.matmul, kernel, block)
    strength, within = np.linalg.eigh((block.T @ seen).astype(np.float64))
    kept = np.flatnonzero(strength > 1e-6 * strength.max())[-COLUMNS:]
    ways = (block @ within[:, kept] / np.sqrt(strength[kept])).astype(np.float32)
    return _by_blocks(lambda part, to: _kernel(part, to) @ ways, near, marks)


def near_vectors(watching: Watching) -> Array:
    """Films' vectors, whose products are correlations, each of a length below 1; (movie rows, r).

    A film whose vector is short, since hardly anybody watches it, is damped, for its direction is
    chance.
    """
    vectors = watching.vectors(slice(None))  # F there, and 1 / d:
    diagonal = watching.own + (vectors**2).sum(axis=1)
    vectors /= np.sqrt(diagonal)[:, None]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    typical = float(np.median(length[length > 0])) if (length > 0).any() else 1.0
    return vectors / (length + RARE * typical)


def _kernel(first: Array, second: Array) -> Array:
    return np.maximum(first @ second.T, 0) ** 2


def _by_blocks(function: Callable[[Array, Array], Array], rows: Array, other: Array) -> Array:
    """The function's results for blocks of rows, found in threads, below each other."""
    starts = range(0, len(rows), BLOCK_FILMS)
    return np.concatenate(in_threads(lambda a: function(rows[a : a + BLOCK_FILMS], other), starts))
