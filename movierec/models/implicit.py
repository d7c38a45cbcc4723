"""A factor model of what is watched: whoever watches a film and whoever does not both count.

Each person and each film has k factors, whose products are to be 1 where a film was rated and 0
elsewhere; a rating counts by its stars, what was not rated by `UNRATED`. Given the films' factors a
person's are a ridge regression,

    u = (UNRATED V'V + sum w_j v_j v_j' + ridge)^-1 sum (w_j + UNRATED) v_j,

and the other way round in turn. The ridge grows with what a row has, rated or not. So a person's
factors are a sum over their films, of which each film's part is known.

References:
    Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets, 4;
    Rendle, Krichene, Zhang and Koren (2022), Revisiting the Performance of iALS on Item
    Recommendation Benchmarks, section 3 (the ridge).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from movierec.models.posterior import CHUNK, blocks, chunks, row_sums
from movierec.spread import in_threads
from movierec.vectors import Array

UNRATED = 0.1  # weight of a film that was not rated
RIDGE = 0.005  # for each film, by that weight or 1
PASSES = 3  # from a start at the leading directions


def fit_implicit(history: sp.csr_array, directions: Array, strength: Array) -> tuple[Array, Array]:
    """The factors of people and of films.

    Args:
        history: (users, movies), the weights of what was rated.
        directions: (movies, k), leading directions of what is watched together, to start from.
        strength: (k,), how much each explains.

    Returns:
        float32 (users, k) and (movies, k); zeros where nothing was rated.
    """
    flipped = history.T.tocsr()
    films = (directions * np.sqrt(np.sqrt(strength / history.shape[0]))).astype(np.float32)
    people = _solved(history, films)
    for _ in range(PASSES):
        films = _solved(flipped, people)
        people = _solved(history, films)
    return people, films


def seen_or_not(factors: Array) -> Array:
    """What a person's factors meet before any film is rated: UNRATED (V'V + ridge), (k, k)."""
    rows = np.count_nonzero(factors.any(axis=1))
    ridge = RIDGE * rows * np.eye(factors.shape[1], dtype=np.float32)
    return (UNRATED * (factors.T @ factors + ridge)).astype(np.float32)


def person_parts(factors: Array, weight: Array, unseen: Array) -> Array:
    """What each of n rated films adds to a person's factors, float32 (n, k).

    Of the films' factors (n, k), their weights (n,), and what all films are, `seen_or_not`.
    """
    square = unseen + factors.T @ (weight[:, None] * factors)
    square[np.diag_indices(len(square))] += RIDGE * len(factors)
    pull = (weight + UNRATED)[:, None] * factors
    return np.linalg.solve(square, pull.T).T.astype(np.float32)


def _solved(history: sp.csr_array, factors: Array) -> Array:
    """The factors of all rows of a history, given those of its columns."""
    k = factors.shape[1]
    unseen, given = seen_or_not(factors), np.vstack([factors, np.zeros((1, k), np.float32)])

    def solve(block: tuple[int, int]) -> Array:
        column, weight, chunk = chunks(history, *block, CHUNK)
        met = given[column].reshape(-1, CHUNK, k)
        weight = weight.reshape(-1, CHUNK, 1)
        square = row_sums(met.transpose(0, 2, 1) @ (weight * met), chunk) + unseen
        count = np.diff(history.indptr[block[0] : block[1] + 1])
        square[:, np.arange(k), np.arange(k)] += RIDGE * count[:, None]
        pull = row_sums(((weight + UNRATED) * met).sum(axis=1), chunk)
        return np.linalg.solve(square, pull[:, :, None])[:, :, 0]

    return np.concatenate(in_threads(solve, blocks(history)))
