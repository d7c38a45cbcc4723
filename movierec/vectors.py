"""Encoded ratings, and arithmetic on user and movie vectors in blocks of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Vectors = Array  # (rows, vector_dim)
Pair = tuple[Array, Array]  # of people and of films, or of a side's rows and the other's
Indices = npt.NDArray[np.int32]

LIKED = 4.0  # stars from which a film counts as liked
BLOCK = 65_536  # pairs multiplied at once
USERS = 256  # scored at once: with a few thousand films their scores stay in the cache


class Rows(NamedTuple):
    """Encoded ratings: int32 row numbers and float32 stars, (n,) each."""

    user_idx: npt.NDArray[np.int32]
    movie_idx: npt.NDArray[np.int32]
    rating: npt.NDArray[np.float32]

    def take(self, rows: npt.NDArray[np.int64]) -> Rows:
        """The given rows, in the shape in which they are given."""
        return Rows(self.user_idx[rows], self.movie_idx[rows], self.rating[rows])


def pair_scores(
    users: Vectors,
    movies: Vectors,
    user_idx: npt.NDArray[np.integer],
    movie_idx: npt.NDArray[np.integer],
) -> npt.NDArray[np.float32]:
    """Dot products of n pairs of rows; float32 (n,), not clipped.

    Args:
        users, movies: (user rows, d) and (movie rows, d).
        user_idx, movie_idx: (n,) row numbers.
    """
    scores = np.empty(len(user_idx), dtype=np.float32)
    for a in range(0, len(user_idx), BLOCK):
        part = slice(a, a + BLOCK)
        scores[part] = np.einsum("nd,nd->n", users[user_idx[part]], movies[movie_idx[part]])
    return scores


def unit_rows(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, np.where(lengths > 0, lengths, 1), dtype=np.float32)


def top_lists(
    scores: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    users: npt.NDArray[np.integer],
    is_film: npt.NDArray[np.bool_],
    left_out: Callable[[int], npt.NDArray[np.integer]] | None,
    k: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The k films that score highest for each user, in blocks: never users x films at once.

    Args:
        scores: user rows, (n,), to a new array of each movie row's score, (n, movie rows).
        users: (n,) user rows.
        is_film: (movie rows,) which rows are films; some are free.
        left_out: gives the rows of the films that a user is not shown; None: all are.
        k: length of a list.

    Returns:
        int64 (n, k) film rows, best first, -1 where there are fewer films; float32 (n, k) their
        scores, -inf there.
    """
    lists = np.full((len(users), k), -1, dtype=np.int64)
    values = np.full((len(users), k), -np.inf, dtype=np.float32)
    free = np.flatnonzero(~is_film)
    for a in range(0, len(users), USERS):
        block = users[a : a + USERS]
        found = scores(block)
        found[:, free] = -np.inf
        if left_out:
            for row, user in zip(found, block, strict=True):
                row[left_out(user)] = -np.inf
        best = top_k(found, k)
        part = slice(a, a + USERS), slice(best.shape[1])
        lists[part], values[part] = best, found[np.arange(len(found))[:, None], best]
    values[lists < 0] = -np.inf
    return lists, values


def top_k(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Positions of the k largest values of each row, best first; ties by position.

    Args:
        scores: (n, m); -inf marks what may not be chosen, and what is no number is not.
        k: how many, at most m.

    Returns:
        int64 (n, k); -1 where a row has fewer than k values.
    """
    n, m = scores.shape
    k = min(k, m)
    # no value below the k-th largest maximum of groups is among the k largest. Group g is
    # g, g + groups, g + 2 groups, ...: maxima of whole rows
    width = math.isqrt(m // k)
    whole = scores[:, : m // width * width].reshape(n, width, m // width)
    highest = np.fmax.reduce(whole, axis=1)  # which knows no NaN
    least = -np.partition(-highest, k - 1, axis=1)[:, k - 1]
    best = np.full((n, k), -1)
    for row, bound in enumerate(np.fmax(least, np.finfo(np.float32).min)):
        place = np.flatnonzero(scores[row] >= bound)
        place = place[np.argsort(-scores[row, place], kind="stable")[:k]]
        best[row, : len(place)] = place
    return best
