"""Work in blocks, spread over the threads of this process or over what the room `cluster` offers.

What all blocks share is held by every worker, sent once; a block is a call with that and with what
is its own. Results come in the order of the blocks, so that either way gives the same sums.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from movierec.errors import InputError
from movierec.registry import offer, offered

S = TypeVar("S")
T = TypeVar("T")
Array = npt.NDArray[np.float32]

STRIP = 8, 64  # columns that a core takes at once, at least and at most


@dataclass
class Held(Generic[T]):
    """What all blocks share: here, and where the workers have it once they need it."""

    value: T
    there: Any = None


Shared = Iterable[Held[Any]]
Blocks = Iterable[tuple[Any, ...]]  # of each what is its own

# a function's results for each block, in order: it gets what is held, then the block's own
Spread = Callable[[Callable[..., Any], Shared, Blocks], Iterable[Any]]


def by_threads(function: Callable[..., T], held: Shared, blocks: Blocks) -> list[T]:
    """As `Spread`, by the cores of this machine."""
    shared = [each.value for each in held]
    return in_threads(lambda block: function(*shared, *block), blocks)


def in_threads(function: Callable[[S], T], blocks: Iterable[S]) -> list[T]:
    """The function's results for each block, in order."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(function, blocks))


def strips(columns: int) -> list[slice]:
    """Columns that a core takes at once: what it reads of them at random stays in its cache."""
    width = min(max(-(-columns // (os.cpu_count() or 1)), STRIP[0]), STRIP[1])
    return [slice(a, a + width) for a in range(0, max(columns, 1), width)]


def product(matrix: sp.csr_array, array: Array) -> Array:
    """A sparse (n, m) matrix times (m, r), in threads; SciPy has one."""
    found = np.empty((matrix.shape[0], array.shape[1]), np.float32)

    def multiply(strip: slice) -> None:
        found[:, strip] = matrix @ np.ascontiguousarray(array[:, strip])

    in_threads(multiply, strips(array.shape[1]))
    return found


@contextmanager
def spread_over(workers: int = 1, scheduler: str | None = None) -> Iterator[Spread]:
    """Threads of this process, or the workers of a cluster where others are asked for.

    Raises:
        InputError: a number of workers below 1, or such that cannot be had.
    """
    if workers == 1 and scheduler is None:
        yield by_threads
        return
    if "dask" not in offered("spreads"):
        raise InputError(f"got {workers} workers; this movierec trains on one alone")
    with offer("spreads", "dask")(workers, scheduler) as spread:
        yield spread
