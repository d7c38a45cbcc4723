"""Work in blocks, spread over the workers of a Dask cluster, as `spread` asks for it.

A worker that dies is no loss: Dask gives its blocks to another, which has all that is shared.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeVar

from movierec.errors import InputError, needs
from movierec.logs import logger
from movierec.spread import Blocks, Shared, Spread

log = logger(__name__)

T = TypeVar("T")

CALLS = 8  # of each worker, in which all blocks are done
ATTEMPTS = 5  # at a block, or at what is to be held, while workers die
TIMEOUT = "20s"  # for a scheduler to answer
PATIENCE = 30  # seconds that a new worker is waited for, at each
PAUSE = 1.0  # seconds after which the scheduler knows who has died


def _mapped(client: Any, function: Callable[..., T], held: Shared, blocks: Blocks) -> Iterator[T]:
    """As `spread.Spread`, by the workers of a Dask cluster.

    Raises:
        InputError: no worker is left.
    """
    from distributed import CancelledError, KilledWorker

    shared, blocks = list(held), list(blocks)
    each = max(len(blocks) // (CALLS * max(sum(client.nthreads().values()), 1)), 1)  # blocks a call
    left = [blocks[first : first + each] for first in range(0, len(blocks), each)]
    attempts = 0
    while left:
        lost: tuple[type[Exception], ...] = OSError, TimeoutError  # of a worker that dies now
        try:
            for value in shared:
                if value.there is None:
                    client.wait_for_workers(1, timeout=PATIENCE)
                    value.there = client.scatter(value.value, broadcast=True, hash=False)
            there = [value.there for value in shared]
            lost = CancelledError, KilledWorker  # of all that held something
            calls = [client.submit(_called, function, there, part, pure=False) for part in left]
            for call in calls:
                yield from call.result()
                left.pop(0)
                attempts = 0
        except lost as error:  # others have come, or will
            attempts += 1
            if attempts == ATTEMPTS:
                raise InputError(
                    f"the workers of the Dask cluster are lost ({type(error).__name__}: "
                    f"{error}); look whether they have enough memory, and go on (train with "
                    "--resume), on them or on this machine alone"
                ) from error
            log.warning("workers were lost (%s); what they had is sent again", error)
            for value in shared:
                value.there = None
            time.sleep(PAUSE)


def _called(function: Callable[..., T], shared: list[Any], part: Blocks) -> list[T]:
    return [function(*shared, *block) for block in part]


def check_workers(workers: int, scheduler: str | None) -> None:
    """Refuse, before anything is done, a number of workers below 1, or others without Dask.

    Raises:
        InputError: such a number, or the extra `batch` is not installed.
    """
    if workers < 1:
        raise InputError(f"got workers {workers}; expected 1 or more")
    if workers > 1 or scheduler is not None:
        with needs("batch", "work on several workers"):
            importlib.import_module("distributed")


@contextmanager
def cluster(workers: int, scheduler: str | None) -> Iterator[Spread]:
    """The workers of new processes on this machine, or of the cluster whose address is given.

    Raises:
        InputError: as `check_workers`, or no scheduler answers there.
    """
    check_workers(workers, scheduler)
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        there: Any = scheduler
        if scheduler is None:
            # Dask gives NumPy one thread a process, so that workers do not fight over the cores
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                dashboard_address=None,
                # its HTTP server takes port 8787 all the same, which another cluster may have
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,  # what a worker raises, this process raises too
            )
            # by its address: a client that has the cluster replaces what that knows of its workers
            # as it waits for them, and one that dies meanwhile would stop Dask at the end
            there = stack.enter_context(local).scheduler_address
        try:
            client = stack.enter_context(Client(there, timeout=TIMEOUT))
        except (OSError, ValueError) as error:
            raise InputError(
                f"no Dask scheduler answers at {scheduler}: {error}; expected an address such as "
                "tcp://host:8786"
            ) from error
        yield partial(_mapped, client)
