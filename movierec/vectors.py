"""Encoded ratings, and arithmetic on user and movie vectors in blocks of bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]  # (rows, vector_dim)
Indices = npt.NDArray[np.int32]

LIKED = 4.0  # stars from which a film counts as liked
BLOCK = 65_536  # pairs multiplied at once
USERS = 256  # scored at once: with a few thousand films their scores stay in the cache
SHORTEST_GROUP = 4  # values; with fewer, a partition of whole rows is as quick
FEW = 16_384  # values in all, of which that is so too


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
    """Positions of the k largest finite values of each row, best first; ties by position.

    Args:
        scores: (n, m); -inf marks what may not be chosen.
        k: how many, at most m.

    Returns:
        int64 (n, k); -1 where a row has fewer than k finite values.
    """
    k = min(k, scores.shape[1])
    part, tied = _largest(scores, k)
    # a partition takes any of the scores that equal the last one taken: where some are left out
    # (and may be chosen at all), the row is sorted whole
    if tied.any():
        part[tied] = np.argsort(-scores[tied], axis=1, kind="stable")[:, :k]
    part.sort(axis=1)
    row = np.arange(len(scores))[:, None]  # `take_along_axis` would be slow for a single row
    order = np.argsort(-scores[row, part], axis=1, kind="stable")
    best = part[row, order]
    best[~np.isfinite(scores[row, best])] = -1
    return best


def _largest(
    scores: npt.NDArray[np.float32], k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Positions of k largest values of each row, and whether others might stand in their place.

    Long rows are taken in groups: the k groups with the largest maxima hold k largest values. The
    maxima take one quick pass, and only they and what those groups hold are partitioned.

    Returns:
        (n, k) in any order, and (n,): whether a finite value that is left out may equal the last.
    """
    n, m = scores.shape
    row = np.arange(n)[:, None]
    width = math.isqrt(m // k)  # makes maxima and candidates about as many, k * width
    if width < SHORTEST_GROUP or scores.size < FEW:
        part = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        last = scores[row, part[:, -1:]]
        return part, np.isfinite(last[:, 0]) & ((scores >= last).sum(axis=1) > k)
    groups = m // width
    whole = groups * width
    # group g is g, g + groups, g + 2 groups, ...: maxima of whole rows; `fmax` knows no NaN
    highest = np.fmax.reduce(scores[:, :whole].reshape(n, width, groups), axis=1)
    chosen = np.argpartition(-highest, k - 1, axis=1)[:, None, :k]
    inside = (chosen + np.arange(0, whole, groups)[:, None]).reshape(n, -1)
    rest = np.broadcast_to(np.arange(whole, m), (n, m - whole))
    candidates = np.concatenate([inside, rest], axis=1)
    values = scores[row, candidates]
    place = np.argpartition(-values, k - 1, axis=1)[:, :k]
    last = values[row, place[:, -1:]]
    # with more than k groups that reach the last value, one of them was not looked into
    more = ((values >= last).sum(axis=1) > k) | ((highest >= last).sum(axis=1) > k)
    return candidates[row, place], np.isfinite(last[:, 0]) & more
