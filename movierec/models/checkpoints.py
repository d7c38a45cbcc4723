"""A checkpoint: what an interrupted training is continued from.

It is kept in a folder of its own beside the run folder, `DIR.partial`, and is gone when the run is
complete.

| file | what it holds |
| --- | --- |
| `checkpoint.safetensors` | all arrays, and as JSON in its header the counters and the settings |
| `history.csv` | a row for each finished epoch, to look at while the training runs |

A process may be killed at any moment. One file is therefore all that counts, and it is written
under another name, forced to the disk, and then put in place in one step. No pickles.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from movierec.errors import InputError, one_line
from movierec.files import write_whole
from movierec.logs import logger

log = logger(__name__)

FORMAT = 1
Array = npt.NDArray[Any]


@dataclass
class State:
    """How far a training has come, apart from the variables of its model and optimizer.

    Attributes:
        block: blocks of batches done of the epoch under way.
        steps: steps done since the beginning.
        loss_sum: over the rows of these blocks.
        seconds: since the first step, without the time between two processes.
        first_loss: the first step's, that of the untrained network.
        best_loss, best_epoch, best_weights: the lowest validation loss, and where it was reached.
        history: a row for each finished epoch.
    """

    block: int = 0
    steps: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    first_loss: float = float("nan")
    best_loss: float = float("inf")
    best_epoch: int = 0
    best_weights: list[Array] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state, and the settings that the state belongs to.

    Attributes:
        folder: the checkpoint's folder.
        settings: everything that the result depends on, the data included; JSON values.
    """

    folder: Path
    settings: Mapping[str, Any]

    @property
    def file(self) -> Path:
        """The one file that counts."""
        return self.folder / "checkpoint.safetensors"

    @property
    def checksum(self) -> int:
        """Of the settings; below 2**48."""
        text = json.dumps(self.settings, sort_keys=True)
        return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)

    def exists(self) -> bool:
        """Whether there is something to continue from."""
        return self.file.is_file()

    def save(self, state: State, variables: Sequence[Any]) -> None:
        """Keep a training's state and its variables, in place of what was kept before.

        Variables go by position, since Keras numbers some names through the life of a process.
        """
        counters = {name: value for name, value in vars(state).items() if name != "best_weights"}
        arrays = {f"now.{i}": np.asarray(variable) for i, variable in enumerate(variables)}
        arrays |= {f"best.{i}": weight for i, weight in enumerate(state.best_weights)}
        self.write(counters, arrays)

    def load(self, variables: Sequence[Any]) -> State | None:
        """Put the variables back as they were kept; returns the rest, None without a checkpoint.

        Raises:
            InputError: as `read`, or what is kept is no state of this training.
        """
        if (stored := self.read()) is None:
            return None
        counters, arrays = stored
        kept = len(arrays) - len(variables)
        try:
            state = State(**counters, best_weights=[arrays[f"best.{i}"] for i in range(kept)])
            _check_state(state)
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"now.{i}"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._unreadable(error) from error
        return state

    def write(self, counters: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        """Replace the checkpoint, whole or not at all.

        Args:
            counters: JSON values; `history`, a list of rows, is also written as CSV.
            arrays: by name.

        Raises:
            InputError: the disk is full or read-only.
        """
        header = {"format": FORMAT, "settings": self.settings, "counters": counters}
        metadata = {name: json.dumps(value) for name, value in header.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, safetensors.numpy.save(dict(arrays), metadata))
            write_whole(self.folder / "history.csv", _as_csv(counters["history"]))
            log.debug("kept the state in %s", self.folder)
        except OSError as error:
            full = error.errno == errno.ENOSPC
            fault = "the disk is full" if full else error.strerror or str(error)
            raise InputError(
                f"the checkpoint could not be written to {self.folder}: {fault}; the training "
                "was stopped. Mend that, and continue with --resume"
            ) from error

    def read(self) -> tuple[dict[str, Any], dict[str, Array]] | None:
        """Counters and arrays as they were written last; None if there is no checkpoint.

        Raises:
            InputError: a checkpoint of other settings or other data, or a damaged one.
        """
        if not self.exists():
            return None
        try:
            with safetensors.safe_open(self.file, "numpy") as stored:
                metadata = stored.metadata() or {}
                header = {name: json.loads(value) for name, value in metadata.items()}
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (OSError, ValueError, RecursionError, safetensors.SafetensorError) as error:
            raise self._unreadable(error) from error
        if header.get("format") != FORMAT:
            raise InputError(
                f"{self.file} has format {one_line(repr(header.get('format')), 80)}; this movierec "
                f"reads {FORMAT}. Train without --resume to begin anew"
            )
        settings, counters = header.get("settings"), header.get("counters")
        if not isinstance(settings, dict) or not isinstance(counters, dict):
            raise self._unreadable("no settings or no counters in its header")
        self._check_settings(settings)
        return counters, arrays

    def remove(self) -> None:
        """Remove the checkpoint, and its folder unless somebody has put other files there."""
        for name in (self.file, self.folder / "history.csv"):
            name.unlink(missing_ok=True)
            name.with_name(f".{name.name}.new").unlink(missing_ok=True)  # of a killed process
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _unreadable(self, why: object) -> InputError:
        return InputError(
            f"{self.file} cannot be read ({one_line(why)}); train without --resume to begin anew"
        )

    def _check_settings(self, stored: dict[str, Any]) -> None:
        now = json.loads(json.dumps(self.settings))  # a tuple comes back as a list
        if changed := [name for name in {**stored, **now} if stored.get(name) != now.get(name)]:
            listed = ", ".join(f"{k} {stored.get(k)} (now {now.get(k)})" for k in changed)
            raise InputError(
                f"the training to be resumed from {self.folder} was begun with {one_line(listed)}; "
                "give the same settings and data, or train without --resume to begin anew"
            )


def checkpoint_folder(run_dir: Path) -> Path:
    """The folder of a run's checkpoint, beside the run folder."""
    return run_dir.with_name(f"{run_dir.name}.partial")


def _check_state(state: State) -> None:
    """TypeError or ValueError where a state is none, as somebody else may have written it."""
    for name, like in vars(State()).items():
        value = getattr(state, name)
        kinds = (int, float) if isinstance(like, float) else (type(like),)
        if type(value) not in kinds:
            raise TypeError(f"{name} is {value!r}")
        if isinstance(value, int) and not 0 <= value < 2**63:
            raise ValueError(f"{name} is {value}")
    if bool(state.history) != bool(state.best_weights):
        raise ValueError("a history without weights, or weights without a history")
    for row in state.history:
        if not isinstance(row, dict) or not set(row) >= {"epoch", "train_loss", "val_loss"}:
            raise TypeError(f"a row of the history is {row!r}")
        if not all(type(value) in (int, float) and not value >= 2**63 for value in row.values()):
            raise TypeError(f"a row of the history is {row!r}")
        if set(row) != set(state.history[0]):
            raise ValueError("the rows of the history differ in their columns")


def _as_csv(history: list[dict[str, float]]) -> bytes:
    sink = io.StringIO(newline="")
    if history:
        writer = csv.DictWriter(sink, list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
    return sink.getvalue().encode()
