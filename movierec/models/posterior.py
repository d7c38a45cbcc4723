"""The vectors of one side of a factor model given the other's, and how unsure they are.

n vectors with covariances of (k + 1) x (k + 1) would take far more memory than all the rest. The
covariances of a side resemble each other, so that of each is kept what it has of `RANK` matrices,
the strongest of a sample: memory is n * k, and what sums over many ratings is hardly moved by it.

Rows are solved for in blocks, some of them a call, and the calls are spread over threads or over
the workers of a cluster. Every product in them is small enough for BLAS to do it within the thread:
threads of its own would fight with these. What is summed is summed in the order of the blocks, so
that the bits do not depend on how many threads there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.spread import Held, Spread

Array = npt.NDArray[np.float32]

BLOCK_ROWS = 128  # vectors solved for at once, at most; as many keep products below BLAS' threads
BLOCK_RATINGS = 8192  # likewise their ratings, unless one vector has more
CHUNK = 64  # ratings whose products are summed by one call; what is missing at the end is zeros
RANK = 24  # matrices that stand for the covariances of a side
SAMPLE = 72  # covariances that these are found from
CALLS = 32  # in which all blocks of a side are solved
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


class Grouped(NamedTuple):
    """Ratings by the rows of one side."""

    start: npt.NDArray[np.int64]  # (n + 1,), where each row's ratings begin
    column: npt.NDArray[np.int32]  # (ratings,), the other side's row
    stars: Array  # (ratings,), less their mean
    columns: int  # how many rows the other side has

    def rated(self, a: int, b: int) -> sp.csr_array:
        """Ones where rows a to b have a rating; (b - a, columns)."""
        column = self.column[self.start[a] : self.start[b]]
        index = (self.start[a : b + 1] - self.start[a]).astype(np.int32)
        ones = np.ones(len(column), np.float32)
        return sp.csr_array((ones, column, index), shape=(b - a, self.columns))

    def blocks(self, rows: int, ratings: int) -> list[tuple[int, int]]:
        """First and last + 1 of consecutive rows, which keep within both numbers if they can."""
        blocks, a, n = [], 0, len(self.start) - 1
        while a < n:
            full = int(np.searchsorted(self.start, self.start[a] + ratings, "right")) - 1
            b = min(max(full, a + 1), a + rows, n)
            blocks.append((a, b))
            a = b
        return blocks


def grouped(stars: sp.csr_array) -> Grouped:
    """Ratings by the rows of a matrix of stars less their mean."""
    return Grouped(stars.indptr.astype(np.int64), stars.indices, stars.data, stars.shape[1])


def drawn_rows(rng: np.random.Generator, ratings: Grouped) -> tuple[npt.NDArray[np.int64], Grouped]:
    """Rows whose covariances stand for all, drawn as often as they enter sums; their ratings."""
    count = np.diff(ratings.start)
    size = min(SAMPLE, len(count))
    rows = np.sort(rng.choice(len(count), size, replace=False, p=count / count.sum()))
    shape = len(count), ratings.columns
    stars = sp.csr_array((ratings.stars, ratings.column, ratings.start), shape=shape)
    return rows, grouped(stars[rows])


def posterior(
    own: Side,
    other: Side,
    ratings: Held[Grouped],
    sample: tuple[npt.NDArray[np.int64], Grouped],
    row_weight: Array,
    column_weight: Array,
    spread: Spread,
) -> tuple[Side, npt.NDArray[np.float64], Array]:
    """The vectors of one side, given the other's: for each a ridge regression on its ratings.

    Args:
        own, other: the sides; `own` gives the tower's output and the precision.
        ratings: by the own side, n rows.
        sample: rows of the own side and their ratings, to find the basis of covariances from.
        row_weight: (n,) precision of the noise, 1 / stars squared.
        column_weight: (m,) relative precision of the noise.
        spread: what works on the blocks.

    Returns:
        The side; the sum of its covariances; and (n,) the expected squared errors of the ratings,
        summed by row, of which the weights are not taken into account.
    """
    often = np.bincount(ratings.value.column, minlength=len(column_weight))
    solver = _Solver(own.precision, other, column_weight, often)
    rows, drawn = sample
    basis = basis_of(
        np.concatenate(
            [
                solver.solve(drawn, a, b, own.expected[rows[a:b]], row_weight[rows[a:b]])[2]
                for a, b in drawn.blocks(BLOCK_ROWS, BLOCK_RATINGS)
            ]
        )
    )
    blocks = ratings.value.blocks(BLOCK_ROWS, BLOCK_RATINGS)
    each = -(-len(blocks) // CALLS)
    calls = []
    for first in range(0, len(blocks), each):
        part = blocks[first : first + each]
        all_rows = slice(part[0][0], part[-1][1])
        calls.append((part, own.expected[all_rows], row_weight[all_rows]))
    solved = spread.map(_solve, (ratings, spread.hold((solver, basis))), calls)
    means, doubts, errors, totals = zip(*solved, strict=True)
    side = own._replace(mean=np.concatenate(means), doubt=np.concatenate(doubts), basis=basis)
    return side, np.sum(totals, axis=0), np.concatenate(errors)


def _solve(
    ratings: Grouped,
    shared: tuple[_Solver, Array],
    blocks: list[tuple[int, int]],
    expected: Array,
    sure: Array,
) -> tuple[Array, Array, Array, npt.NDArray[np.float64]]:
    """Consecutive blocks of rows, given their tower's output (rows, k + 1) and weight (rows,).

    Returns:
        (rows, k + 1) vectors; (rows, r) what their covariances have of the basis; (rows,) expected
        squared errors; (k + 1, k + 1), the sum of the covariances.
    """
    (solver, basis), first = shared, blocks[0][0]
    mean, errors = np.empty_like(expected), np.empty_like(sure)
    doubt = np.empty((len(mean), len(basis)), np.float32)
    across = np.ascontiguousarray(basis.transpose(1, 2, 0))  # (k + 1, k + 1, r)
    total = np.zeros(basis.shape[1:])
    way = solver.way
    along = ((way.T @ basis @ way)[:, np.arange(len(way)), np.arange(len(way))]).T  # (k + 1, r)
    for a, b in blocks:
        part = slice(a - first, b - first)
        given = ratings, a, b, expected[part], sure[part]
        if np.diff(ratings.start[a : b + 1]).max() <= FEW:
            mean[part], errors[part], taken, least = solver.solve_few(*given)
            doubt[part] = least @ along - (taken.transpose(1, 0, 2) @ across).sum(axis=0)
            total += (way * least.sum(axis=0)) @ way.T - taken.sum(axis=0)
        else:
            mean[part], errors[part], covariance = solver.solve(*given)
            doubt[part] = (covariance.transpose(1, 0, 2) @ across).sum(axis=0)
            total += covariance.sum(axis=0)
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
        self, ratings: Grouped, a: int, b: int, expected: Array, sure: Array
    ) -> tuple[Array, Array, Array]:
        """Solve rows a to b, given their tower's output (b - a, k + 1) and weight (b - a,).

        Returns:
            (b - a, k + 1) vectors, (b - a,) expected squared errors summed by row, and
            (b - a, k + 1, k + 1) covariances.
        """
        k = self.k
        sums, squares = self._sums(ratings, a, b)  # of means
        doubts = np.empty((b - a, k + 1, k + 1), np.float32)  # of covariances
        by_basis = ratings.rated(a, b) @ self.doubt  # (b - a, r)
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
        missed = (second @ mean[:, :, None])[:, :, 0] - 2 * sums[:, :, k + 1]
        return mean, errors + (mean * missed).sum(axis=1), covariance

    def solve_few(
        self, ratings: Grouped, a: int, b: int, expected: Array, sure: Array
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
        count = np.diff(ratings.start[a : b + 1])
        width = int(count.max())
        filled = np.arange(width) < count[:, None]
        column = np.full(filled.shape, ratings.columns, np.intp)
        stars = np.zeros(filled.shape, np.float32)
        given = slice(ratings.start[a], ratings.start[b])
        column[filled], stars[filled] = ratings.column[given], ratings.stars[given]
        met = self.meets[column]  # (b - a, c, k + 2)
        by_basis = ratings.rated(a, b) @ self.doubt  # (b - a, r)
        each = by_basis @ np.einsum("iri->ri", self.basis)  # diagonals of their sums
        each[:, k], bias = 0, each[:, k].copy()
        q, missed = met[:, :, : k + 1], met[:, :, k] * stars - met[:, :, k + 1]
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

    def _sums(self, ratings: Grouped, a: int, b: int) -> tuple[Array, Array]:
        """Sums over the ratings of rows a to b.

        Returns:
            (b - a, k + 1, k + 2), [q, 1] times [q, 1, star - c]; (b - a,), (star - c)^2.
        """
        start = ratings.start[a : b + 1] - ratings.start[a]
        given = slice(ratings.start[a], ratings.start[b])
        count = np.diff(start)
        chunk = np.concatenate([[0], np.cumsum(-(-count // CHUNK))])  # (b - a + 1,)
        at = np.arange(start[-1]) + np.repeat(chunk[:-1] * CHUNK - start[:-1], count)
        column = np.full(chunk[-1] * CHUNK, ratings.columns, np.intp)
        column[at] = ratings.column[given]
        stars = np.zeros(len(column), np.float32)
        stars[at] = ratings.stars[given]
        met = self.meets.take(column, axis=0)  # (chunks * CHUNK, k + 2)
        missed = met[:, -2] * stars - met[:, -1]
        met[:, -1] = missed
        met = met.reshape(-1, CHUNK, self.k + 2)
        squares = np.add.reduceat((missed**2).reshape(-1, CHUNK).sum(axis=1), chunk[:-1])
        products = met[:, :, :-1].transpose(0, 2, 1) @ met  # (chunks, k + 1, k + 2)
        by_row = np.ones(len(met), np.float32), np.arange(len(met)), chunk
        adder = sp.csr_array(by_row, shape=(b - a, len(met)))
        return (adder @ products.reshape(len(met), -1)).reshape(b - a, *products.shape[1:]), squares


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
