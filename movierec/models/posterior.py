"""The vectors of one side of a factor model given the other's, and how unsure they are.

n vectors with covariances of (k + 1) x (k + 1) would take far more memory than all the rest. The
covariances of a side resemble each other, so that of each is kept what it has of `RANK` matrices,
the strongest of a sample: memory is n * k, and what sums over many ratings is hardly moved by it.

Rows are solved for in blocks, which are spread over threads or over the workers of a cluster. Every
product in them is small enough for BLAS to do it within the thread: threads of its own would fight
with these. What is summed is summed in the order of the blocks, so that the bits do not depend on
how many threads there are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.spread import Held, Spread
from movierec.vectors import Array, Pair

BLOCK_ROWS = 128  # vectors solved for at once, at most; as many keep products below BLAS' threads
BLOCK_RATINGS = 8192  # likewise their ratings, unless one vector has more
CHUNK = 64  # ratings whose products are summed by one call; what is missing at the end is zeros
RANK = 24  # matrices that stand for the covariances of a side
SAMPLE = 72  # covariances that these are found from
FEW = 16  # ratings of a row, with which it is solved for by these
LEAF = 6  # rows below which a matrix is inverted by LAPACK


class Side(NamedTuple):
    """One side of the model, users or films: n vectors of k factors and a bias.

    How unsure each is: the covariance of row i is the sum of doubt[i] * basis.
    """

    mean: Array  # (n, k + 1), the vectors
    doubt: Array  # (n, r)
    basis: Array  # (r, k + 1, k + 1), symmetric
    tower: Array  # (inputs, k + 1), from what is known to the expected vector
    expected: Array  # (n, k + 1), the tower's output
    precision: Array  # (k + 1, k + 1), inverse covariance of vectors about their tower's output


def ones(ratings: sp.csr_array, a: int, b: int) -> sp.csr_array:
    """Ones where rows a to b have a rating; (b - a, columns)."""
    start = ratings.indptr[a : b + 1]
    column = ratings.indices[start[0] : start[-1]]
    given = np.ones(len(column), np.float32), column, start - start[0]
    return sp.csr_array(given, shape=(b - a, ratings.shape[1]))


def blocks(ratings: sp.csr_array) -> list[tuple[int, int]]:
    """First and last + 1 of consecutive rows, which keep within a block's numbers if they can."""
    start, a, found = ratings.indptr, 0, []
    while a < ratings.shape[0]:
        full = int(np.searchsorted(start, start[a] + BLOCK_RATINGS, "right")) - 1
        found.append((a, min(max(full, a + 1), a + BLOCK_ROWS, ratings.shape[0])))
        a = found[-1][1]
    return found


def chunks(
    ratings: sp.csr_array, a: int, b: int, size: int
) -> tuple[npt.NDArray[np.intp], Array, npt.NDArray[np.int64]]:
    """The ratings of rows a to b in chunks of one row each.

    Returns:
        (chunks * size,) columns and values, behind a row's last the number of columns and 0; and
        (b - a + 1,) where each row's chunks begin.
    """
    start = ratings.indptr[a : b + 1] - ratings.indptr[a]
    given = slice(ratings.indptr[a], ratings.indptr[b])
    count = np.diff(start)
    chunk = np.concatenate([[0], np.cumsum(-(-count // size))])
    at = np.arange(start[-1]) + np.repeat(chunk[:-1] * size - start[:-1], count)
    column = np.full(chunk[-1] * size, ratings.shape[1], np.intp)
    column[at] = ratings.indices[given]
    value = np.zeros(len(column), np.float32)
    value[at] = ratings.data[given]
    return column, value, chunk


def row_sums(array: Array, chunk: npt.NDArray[np.int64]) -> Array:
    """What (chunks, ...) sums to in each row, as `chunks` has them."""
    by_row = np.ones(len(array), np.float32), np.arange(len(array)), chunk
    adder = sp.csr_array(by_row, shape=(len(chunk) - 1, len(array)))
    flat = array.reshape(len(array), int(np.prod(array.shape[1:])))  # of no row, too
    return (adder @ flat).reshape(len(chunk) - 1, *array.shape[1:])


class Observed(NamedTuple):
    """The ratings of one side's rows, and rows whose covariances stand for all."""

    ratings: Held[sp.csr_array]  # (n, m), stars less their mean
    sample: npt.NDArray[np.int64]  # rows, drawn as often as they enter sums,
    drawn: sp.csr_array  # and their ratings


def observed(rng: np.random.Generator, ratings: sp.csr_array) -> Observed:
    """Draw the rows that stand for all."""
    count = np.diff(ratings.indptr)
    size = min(SAMPLE, len(count))
    rows = np.sort(rng.choice(len(count), size, replace=False, p=count / count.sum()))
    return Observed(Held(ratings), rows, ratings[rows])


def posterior(
    own: Side, other: Side, given: Observed, weights: Pair, spread: Spread
) -> tuple[Side, npt.NDArray[np.float64], Array]:
    """The vectors of one side, given the other's: for each a ridge regression on its ratings.

    Args:
        own, other: the sides; `own` gives the tower's output and the precision.
        given: of n rows.
        weights: (n,) precision of the noise of each row, 1 / stars squared, and (m,) relative
            precision of that of each column.
        spread: what works on the blocks.

    Returns:
        The side; the sum of its covariances; and (n,) the expected squared errors of the ratings,
        summed by row, of which the weights are not taken into account.
    """
    row_weight, column_weight = weights
    often = np.bincount(given.ratings.value.indices, minlength=len(column_weight))
    solver = _Solver(own.precision, other, column_weight, often)
    rows, drawn = given.sample, given.drawn
    covariances = [
        solver.solve(drawn, a, b, own.expected[rows[a:b]], row_weight[rows[a:b]])[2]
        for a, b in blocks(drawn)
    ]
    basis = basis_of(np.concatenate(covariances))
    across = np.ascontiguousarray(basis.transpose(1, 2, 0))  # (k + 1, k + 1, r)
    diagonal = np.arange(len(across))
    along = ((solver.way.T @ basis @ solver.way)[:, diagonal, diagonal]).T  # (k + 1, r)
    ratings = given.ratings
    work = [(a, b, own.expected[a:b], row_weight[a:b]) for a, b in blocks(ratings.value)]
    solved = spread(_solve, (ratings, Held((solver, across, along))), work)
    means, doubts, errors, totals = zip(*solved, strict=True)
    side = own._replace(mean=np.concatenate(means), doubt=np.concatenate(doubts), basis=basis)
    return side, np.sum(totals, axis=0, dtype=np.float64), np.concatenate(errors)


def _solve(
    ratings: sp.csr_array, shared: tuple[_Solver, Array, Array], *block: Any
) -> tuple[Array, Array, Array, Array]:
    """Rows a to b, given their tower's output (b - a, k + 1) and weight (b - a,).

    Gives their vectors, what their covariances have of the basis, (b - a, r), their expected
    squared errors, and the sum of their covariances.
    """
    solver, across, along = shared
    a, b = block[:2]
    if np.diff(ratings.indptr[a : b + 1]).max() <= FEW:
        mean, errors, taken, least = solver.solve_few(ratings, *block)
        doubt = least @ along - (taken.transpose(1, 0, 2) @ across).sum(axis=0)
        total = np.multiply(solver.way, least.sum(axis=0)) @ solver.way.T - taken.sum(axis=0)
    else:
        mean, errors, covariance = solver.solve(ratings, *block)
        doubt = (covariance.transpose(1, 0, 2) @ across).sum(axis=0)
        total = covariance.sum(axis=0)
    return mean, doubt, errors, total


class _Solver:
    """What all blocks of one side share: the other side as its vectors meet it."""

    def __init__(
        self, precision: Array, other: Side, weight: Array, often: npt.NDArray[np.integer]
    ) -> None:
        self.precision = precision  # (k + 1, k + 1) of the own side
        self.k = k = len(precision) - 1
        # a vector meets the other's [q, 1]; its own bias meets the 1, the other's bias c is taken
        # off. A last row of zeros is what fills up chunks
        meets = np.ones((len(weight) + 1, k + 2), np.float32)
        meets[:-1, :k], meets[:-1, k + 1] = other.mean[:, :k], other.mean[:, k]
        meets[:-1] *= np.sqrt(weight)[:, None]
        meets[-1] = 0
        self.meets = meets
        self.doubt = other.doubt * weight[:, None]
        self.basis = np.ascontiguousarray(other.basis.transpose(1, 0, 2))  # (k + 1, r, k + 1)
        # columns W with W' precision W = 1 and W' usual W diagonal, `usual` being the covariance
        # of the other side's vectors in the mean of the ratings
        usual = np.tensordot(often @ self.doubt / often.sum(), other.basis, axes=1)
        usual[k] = usual[:, k] = 0
        root = np.linalg.inv(np.linalg.cholesky(precision.astype(np.float64)))
        spread, turned = np.linalg.eigh(root @ usual @ root.T)
        self.way = (root.T @ turned).astype(np.float32)
        self.usual = np.maximum(spread, 0).astype(np.float32), float(np.trace(usual))

    def solve(
        self, ratings: sp.csr_array, a: int, b: int, expected: Array, sure: Array
    ) -> tuple[Array, Array, Array]:
        """Solve rows a to b, given their tower's output (b - a, k + 1) and weight (b - a,).

        Returns:
            (b - a, k + 1) vectors, (b - a,) expected squared errors summed by row, and
            (b - a, k + 1, k + 1) covariances.
        """
        k = self.k
        met, missed, chunk = self._met(ratings, a, b, CHUNK)
        squares = np.add.reduceat((missed**2).sum(axis=1), chunk[:-1])
        sums = row_sums(met[:, :, :-1].transpose(0, 2, 1) @ met, chunk)  # (b - a, k + 1, k + 2)
        doubts = np.empty((b - a, k + 1, k + 1), np.float32)  # of covariances
        by_basis = ones(ratings, a, b) @ self.doubt  # (b - a, r)
        np.matmul(by_basis[None], self.basis, out=doubts.transpose(1, 0, 2))
        second, pull = sums[:, :, : k + 1], sums[:, :, k + 1].copy()
        pull[:, :k] -= doubts[:, :k, k]  # E c [q, 1]
        squares += doubts[:, k, k]
        doubts[:, k] = doubts[:, :, k] = 0  # of the 1 that is no doubt
        each = np.einsum("nii->ni", doubts).copy()
        doubts += second
        doubts *= sure[:, None, None]
        covariance = inverse(doubts + self.precision)
        pulled = expected @ self.precision + pull * sure[:, None]
        mean = (covariance @ pulled[:, :, None])[:, :, 0]
        # of what covariances add only the diagonals are counted, which is most of it
        errors = squares + (each * mean**2).sum(axis=1)
        errors += (np.einsum("nii->ni", covariance) * (each + np.einsum("nii->ni", second))).sum(1)
        left = (second @ mean[:, :, None])[:, :, 0] - 2 * sums[:, :, k + 1]
        return mean, errors + (mean * left).sum(axis=1), covariance

    def solve_few(
        self, ratings: sp.csr_array, a: int, b: int, expected: Array, sure: Array
    ) -> tuple[Array, Array, Array, Array]:
        """As `solve`, for rows of few ratings, in whose number it goes in place of k.

        The covariances of what they meet are taken for the usual one, as often as their traces
        together hold its trace. It has `self.way` in common with the prior, so that what each
        rating adds to both is a system of as many equations as there are ratings (Woodbury).

        Returns:
            Vectors and errors; of the covariances W diag(l) W' - T, with W `self.way`, T
            (b - a, k + 1, k + 1) and l (b - a, k + 1).
        """
        k, (usual, trace) = self.k, self.usual
        width = int(np.diff(ratings.indptr[a : b + 1]).max())
        met, missed, _ = self._met(ratings, a, b, width)  # a chunk a row
        q = met[:, :, : k + 1]
        by_basis = ones(ratings, a, b) @ self.doubt  # (b - a, r)
        each = by_basis @ np.einsum("iri->ri", self.basis)  # diagonals of their sums
        each[:, k], bias = 0, each[:, k].copy()
        pull = (missed[:, None] @ q)[:, 0]
        pull[:, :k] -= by_basis @ self.basis[:k, :, k].T  # E c [q, 1]
        pulled = expected @ self.precision + pull * sure[:, None]
        times = sure * each.sum(axis=1) / max(trace, 1e-30)
        least = 1 / (1 + times[:, None] * usual)  # (b - a, k + 1)
        seen = q @ self.way
        near = seen * least[:, None]
        inner = near @ seen.transpose(0, 2, 1)
        inner[:, np.arange(width), np.arange(width)] += 1 / sure[:, None]
        back = near @ self.way.T
        gain = inverse(inner) @ back  # (b - a, c, k + 1)
        mean = ((pulled @ self.way) * least) @ self.way.T
        mean -= ((gain @ pulled[:, :, None]).transpose(0, 2, 1) @ back)[:, 0]
        variance = least @ (self.way**2).T - (back * gain).sum(axis=1)
        reached = (q @ mean[:, :, None])[:, :, 0]
        errors = (missed**2).sum(axis=1) + bias + (each * mean**2).sum(axis=1)
        errors += (variance * (each + (q**2).sum(axis=1))).sum(axis=1)
        errors += (reached * (reached - 2 * missed)).sum(axis=1)
        return mean, errors, back.transpose(0, 2, 1) @ gain, least

    def _met(
        self, ratings: sp.csr_array, a: int, b: int, size: int
    ) -> tuple[Array, Array, npt.NDArray[np.int64]]:
        """The ratings of rows a to b in chunks of one row each, zeros behind the last.

        Returns:
            (chunks, size, k + 2), [q, 1, star - c]; (chunks, size), star - c; and (b - a + 1,)
            where each row's chunks begin.
        """
        column, stars, chunk = chunks(ratings, a, b, size)
        met = self.meets.take(column, axis=0)
        missed = met[:, -2] * stars - met[:, -1]
        met[:, -1] = missed
        return met.reshape(-1, size, met.shape[1]), missed.reshape(-1, size), chunk


def basis_of(sample: Array) -> Array:
    """Orthonormal matrices that hold most of a sample's covariances.

    By subspace iteration, whose products stay small; of (s, k + 1, k + 1) it gives
    (r, k + 1, k + 1), r at most `RANK`.
    """
    rows = np.ascontiguousarray(sample.transpose(1, 0, 2), dtype=np.float64)  # (k + 1, s, k + 1)
    square = (rows @ rows.transpose(0, 2, 1)).sum(axis=0)
    square += 1e-9 * np.trace(square) * np.eye(len(square))  # where the sample has fewer
    ways = np.eye(len(square), min(RANK, len(square)))
    for _ in range(4):
        ways = np.linalg.qr(square @ ways).Q
    ways = ways @ np.linalg.inv(np.linalg.cholesky(ways.T @ square @ ways)).T
    return np.ascontiguousarray((ways.T @ rows).transpose(1, 0, 2), dtype=np.float32)


def inverse(matrices: Array) -> Array:
    """Inverses of symmetric positive definite matrices, (n, k, k), by halves.

    `numpy.linalg.inv` takes them one at a time and as if they had no symmetry; products of all
    their quarters do it in a third of the time.
    """
    size = matrices.shape[-1]
    if size <= LEAF:
        return np.linalg.inv(matrices)
    h = size // 2
    first = inverse(matrices[:, :h, :h])
    across = first @ matrices[:, :h, h:]
    rest = inverse(matrices[:, h:, h:] - matrices[:, h:, :h] @ across)
    corner = across @ rest
    inverted = np.empty_like(matrices)
    np.matmul(corner, across.transpose(0, 2, 1), out=inverted[:, :h, :h])
    inverted[:, :h, :h] += first
    np.negative(corner, out=inverted[:, :h, h:])
    inverted[:, h:, :h] = inverted[:, :h, h:].transpose(0, 2, 1)
    inverted[:, h:, h:] = rest
    return inverted
