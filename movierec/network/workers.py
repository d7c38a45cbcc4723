"""Where a training step runs: on one device, on several, or on several workers.

Several GPUs of one machine share each batch under `MirroredStrategy`. Several workers share it
under `MultiWorkerMirroredStrategy`, if each is started with the same command and with `TF_CONFIG`
in its environment, in which `index` is its own number and worker 0 is the chief, the only one that
writes:

    {"cluster": {"worker": ["host-a:12345", "host-b:12345"]},
     "task": {"type": "worker", "index": 0}}

All workers read the same data, and the run folder must be on a disk that all of them see.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import tensorflow as tf

from movierec.errors import InputError, WorkerLostError

START_SECONDS = 300  # a worker that has not met the others by then ends


@contextmanager
def workers() -> Iterator[None]:
    """What is built and trained within the block is shared by all devices and workers there are.

    Raises:
        InputError: a `TF_CONFIG` that names no cluster.
        WorkerLostError: another worker ended or cannot be reached.
    """
    if worker_count() == 1:
        with _one_machine().scope():
            yield
        return
    try:
        with _several_machines().scope():
            yield
    except (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.UnavailableError,
    ) as error:
        raise WorkerLostError(
            "another worker ended or cannot be reached, so this one stopped too; see the other "
            "workers' messages, then start all of them again with --resume"
        ) from error


def worker_count() -> int:
    """How many workers `TF_CONFIG` names; 1 without it.

    Raises:
        InputError: it is not as TensorFlow expects it.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        cluster = json.loads(text).get("cluster", {})
        return max(sum(len(hosts) for hosts in cluster.values()), 1)
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f'TF_CONFIG is {text!r}; expected {{"cluster": {{"worker": ["HOST:PORT", ...]}}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from error


def is_chief() -> bool:
    """Whether this process is the one that writes; to be asked within `workers()`."""
    return bool(tf.distribute.get_strategy().extended.should_checkpoint)


def told_by_all(value: float) -> list[float]:
    """The value that each replica has; all of them learn the same, once all have arrived here."""
    strategy = tf.distribute.get_strategy()
    if strategy.num_replicas_in_sync == 1:
        return [value]
    return [float(v) for v in _gather(strategy)(tf.constant(value, tf.float64))]


def check_agreement(what: str, value: int) -> None:
    """Refuse to go on with workers of which each does something else.

    Args:
        what: names the value in the message.
        value: below 2**53.

    Raises:
        InputError: on every worker, if the values differ.
    """
    if len(set(told := told_by_all(value))) > 1:
        listed = ", ".join(f"{v:.0f}" for v in told)
        raise InputError(
            f"the workers do not agree on {what} ({listed}); start all of them with the same "
            "command and data, and with a run folder on a disk that all of them see"
        )


@cache
def _one_machine() -> tf.distribute.Strategy:
    several = len(tf.config.list_logical_devices("GPU")) > 1
    return tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()


@cache
def _several_machines() -> tf.distribute.Strategy:
    """The strategy of several workers, once all of them are there."""
    on_terminate = signal.getsignal(signal.SIGTERM)
    # TensorFlow waits for ever, and no Python code runs meanwhile, so no exception can end it
    faulthandler.dump_traceback_later(START_SECONDS, exit=True)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    faulthandler.cancel_dump_traceback_later()
    signal.signal(signal.SIGTERM, on_terminate)  # which TensorFlow has begun to ignore
    return strategy


@cache
def _gather(strategy: tf.distribute.Strategy) -> Any:
    """The compiled function behind `told_by_all`: () on each replica to (replicas,) on all."""
    replicas = strategy.num_replicas_in_sync

    @tf.function
    def gather(value: Any) -> Any:
        def own() -> Any:
            place = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.one_hot(place, replicas, dtype=tf.float64) * value

        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(own), axis=None)

    return gather
