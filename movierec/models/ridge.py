"""Ridge regression on sparse inputs, which need not stand in one matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from movierec.spread import in_threads, strips
from movierec.vectors import Array


class Inputs(NamedTuple):
    """A matrix of n rows and f inputs as the two products that a ridge regression needs."""

    forward: Callable[[Array], Array]  # (f, t) to (n, t)
    backward: Callable[[Array], Array]  # (n, t) to (f, t), by the transposed matrix
    size: int  # f


def matrix_inputs(matrix: sp.csr_array) -> Inputs:
    """A sparse matrix as inputs."""
    return Inputs(matrix.__matmul__, matrix.T.tocsr().__matmul__, matrix.shape[1])


def ridge_regression(
    inputs: Inputs,
    targets: Array,
    ridge: float,
    steps: int,
    start: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """Weights w that lower |inputs w - targets|^2 + ridge |w|^2, column by column.

    By conjugate gradients, which need two products with the sparse inputs a step and never a
    matrix of inputs x inputs.

    Args:
        inputs: of n rows and f inputs.
        targets: (n, t).
        ridge: above 0.
        steps: how many; from a good start a few are enough.
        start: what an earlier call returned, to go on from.

    Returns:
        float32 (f, t), the weights, and (n, t), inputs weights.

    Reference:
        Hestenes and Stiefel (1952), Methods of Conjugate Gradients for Solving Linear Systems.
    """
    if start is None:
        start = np.zeros((inputs.size, targets.shape[1]), np.float32), 0 * targets

    def solved(strip: slice) -> tuple[Array, Array]:
        given = [each[:, strip].copy() for each in (targets, *start)]
        return _columns(inputs, ridge, steps, *given)

    weights, expected = zip(*in_threads(solved, strips(targets.shape[1])), strict=True)
    return np.concatenate(weights, axis=1), np.concatenate(expected, axis=1)


def _columns(
    inputs: Inputs, ridge: float, steps: int, targets: Array, weights: Array, expected: Array
) -> tuple[Array, Array]:
    """Some columns, which know nothing of the others, from the weights and what they give."""
    left = inputs.backward(targets - expected) - ridge * weights
    way, size = left.copy(), (left**2).sum(axis=0)
    for _ in range(steps):
        seen = inputs.forward(way)
        across = inputs.backward(seen) + ridge * way
        # a column that is solved stays where it is
        length = size / np.maximum((way * across).sum(axis=0), 1e-30)
        weights += length * way
        expected += length * seen
        left -= length * across
        previous, size = size, (left**2).sum(axis=0)
        way = left + size / np.maximum(previous, 1e-30) * way
    return weights, expected
