"""Which films are watched together, film by film: what `similar` goes by (stars: see `nearby`).

Two films belong together when the people who watch the one watch the other more than all else that
they watch lets expect: by the partial correlation, -Q_ij / sqrt(Q_ii Q_jj) with Q the inverse of
X'X + ridge, X the (users, films) matrix of what was rated. Its strongest directions, from which
lists are made, lose just a film's nearest neighbours, and the whole of it is films x films. So each
film gets a small inverse of its own, of the films that most go with it, chosen by the cosine of
their columns. How often each of these goes with each other is known where one is among the other's,
and else taken from a few directions. That is n * k memory, and a film's neighbours do not depend on
how many films there are.

The ridge grows with the root of a film's ratings: a film that few have rated is held back, since
its neighbours are chance, and one that many have rated may have some.

References:
    Meinshausen and Bühlmann (2006), High-dimensional Graphs and Variable Selection with the Lasso
    (a film's neighbours by its own regression); Ning and Karypis (2011), SLIM, section 4.3 (on its
    nearest columns only).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.spread import in_threads
from movierec.vectors import Array

NEIGHBOURS = 100  # kept of each film,
CHOSEN = 200  # of the films that go with it in its inverse
STEPS = 12  # of conjugate gradients, for a column of that
DIRECTIONS = 30  # which say how often any two films are watched by the same people,
AT_ONCE = 6  # in products for which BLAS takes no threads: these fight with those of the pool
RIDGE = 20.0  # times the root of a film's own square
FILMS = 32  # taken at once

Films = npt.NDArray[np.intp]


def fit_neighbours(history: sp.csr_array, directions: Array) -> tuple[npt.NDArray[np.int32], Array]:
    """The films that most go with each film.

    Args:
        history: X, (users, movies), positive where a film was rated.
        directions: E, (movies, r), with E E' about X'X.

    Returns:
        (movies, n) rows of neighbours, and (movies, n) their partial correlations, 0 to 1, largest
        first; a film that has fewer stands itself in what is left, with 0. The larger counts of
        what either film's inverse says.
    """
    movies = history.shape[1]
    flipped = history.T.tocsr()
    square = np.asarray(flipped.multiply(flipped).sum(axis=1), dtype=np.float32).ravel()
    rated = np.flatnonzero(square)
    blocks = np.split(rated, range(FILMS, len(rated), FILMS))
    chosen, together = _chosen(history, flipped, square, blocks)
    own = (square + RIDGE * np.sqrt(square)).astype(np.float32)
    weights = np.zeros(chosen.shape, np.float32)
    left = np.ones(movies, np.float32)  # 1 / Q_ii, what the others do not tell of a film

    def solve(films: Films) -> None:
        inverse = _inverse_columns(films, chosen, together, directions, own)
        weights[films] = -inverse[:, 1:] / inverse[:, :1]
        left[films] = 1 / inverse[:, 0]

    in_threads(solve, blocks)
    spread = np.sqrt(left)
    weights *= spread[chosen]
    weights /= spread[:, None]
    found = np.nonzero(weights > 0)
    correlation = sp.csr_array((weights[found], (found[0], chosen[found])), (movies, movies))
    return _strongest(correlation.maximum(correlation.T).tocsr())


def _chosen(
    history: sp.csr_array, flipped: sp.csr_array, square: Array, blocks: list[Films]
) -> tuple[npt.NDArray[np.int32], Array]:
    """Rows of the films that go with each film by their cosine, and their products with it.

    Returns:
        (movies, c) and (movies, c); the film itself, and 0, where there are fewer.
    """
    movies = len(square)
    count = max(min(CHOSEN, movies - 1), 1)
    chosen = np.repeat(np.arange(movies, dtype=np.int32)[:, None], count, axis=1)
    together = np.zeros((movies, count), np.float32)
    scale = 1 / np.sqrt(np.maximum(square, np.finfo(np.float32).tiny))

    def choose(films: Films) -> None:
        products = (flipped[films] @ history).tocsr()
        for film, a, b in zip(films, products.indptr, products.indptr[1:], strict=False):
            others, product = products.indices[a:b], products.data[a:b]
            cosine = np.where(others == film, 0, product * scale[others])
            best = np.argpartition(-cosine, min(count, len(others)) - 1)[:count]
            best = best[others[best] != film]
            chosen[film, : len(best)] = others[best]
            together[film, : len(best)] = product[best]

    in_threads(choose, blocks)
    return chosen, together


def _inverse_columns(
    films: Films,
    chosen: npt.NDArray[np.int32],
    together: Array,
    directions: Array,
    own: Array,
) -> Array:
    """The first column of the inverse of each film and its chosen ones; (films, 1 + c)."""
    size = 1 + chosen.shape[1]
    diagonal = np.arange(size)
    squares = np.empty((len(films), size, size), np.float32)
    place = np.full(len(own), -1, np.int32)
    for square, film in zip(squares, films, strict=True):
        rows = np.append(np.int32(film), chosen[film])
        near, flipped = directions[rows], directions[rows].T.copy()
        square[:] = near[:, :AT_ONCE] @ flipped[:AT_ONCE]
        for a in range(AT_ONCE, near.shape[1], AT_ONCE):
            square += near[:, a : a + AT_ONCE] @ flipped[a : a + AT_ONCE]
        place[rows] = diagonal  # where the film stands in for others, in the last of its places
        second = place.take(chosen[rows].ravel())
        known = np.flatnonzero(second >= 0)
        first, second = known // chosen.shape[1], second[known]
        product, entries = together[rows].ravel()[known], square.reshape(-1)
        entries[first * size + second] = product
        entries[second * size + first] = product
        place[rows] = -1
        blank = 1 + np.flatnonzero(chosen[film] == film)
        square[blank], square[:, blank] = 0, 0
        square[diagonal, diagonal] = own[rows]
    return _first_columns(squares)


def _first_columns(squares: Array) -> Array:
    """First columns of the inverses of (n, m, m) symmetric matrices, by conjugate gradients.

    A matrix that is joined of counts and directions need not be positive definite: where it turns
    out not to be, what was found so far stands. See `ridge` for the method.
    """
    scale = 1 / np.sqrt(np.diagonal(squares, axis1=1, axis2=2))
    squares *= scale[:, :, None]
    squares *= scale[:, None, :]
    left = np.zeros_like(scale)
    left[:, 0] = scale[:, 0]
    found, way = np.zeros_like(left), left.copy()
    size = (left**2).sum(axis=1, keepdims=True)
    for _ in range(STEPS):
        product = np.einsum("nij,nj->ni", squares, way)  # which takes no threads, as BLAS would
        bend = (way * product).sum(axis=1, keepdims=True)
        step = np.divide(size, bend, out=np.zeros_like(size), where=bend > 0)
        found += step * way
        left -= step * product
        before, size = size, (left**2).sum(axis=1, keepdims=True)
        way = left + np.divide(size, before, out=np.zeros_like(size), where=before > 0) * way
    return (found * scale).astype(np.float32)


def _strongest(correlation: sp.csr_array) -> tuple[npt.NDArray[np.int32], Array]:
    """The largest values of each row, and where they stand; as `fit_neighbours`."""
    movies = correlation.shape[0]
    count = max(min(NEIGHBOURS, movies - 1), 1)
    rows = np.repeat(np.arange(movies, dtype=np.int32)[:, None], count, axis=1)
    values = np.zeros((movies, count), np.float32)
    for film, (a, b) in enumerate(zip(correlation.indptr, correlation.indptr[1:], strict=False)):
        order = np.argsort(-correlation.data[a:b], kind="stable")[:count]
        rows[film, : len(order)] = correlation.indices[a:b][order]
        values[film, : len(order)] = correlation.data[a:b][order]
    return rows, values
