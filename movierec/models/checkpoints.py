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

import errno
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import pydantic
import safetensors
import safetensors.numpy
from pydantic import Field, Json, field_validator

from movierec.errors import InputError, one_line
from movierec.files import write_whole
from movierec.logs import logger
from movierec.trust import Form, read_json

log = logger(__name__)

Array = npt.NDArray[Any]
Part = Literal["checkpoint", "teacher"]
Count = Annotated[int, Field(ge=0, lt=2**63)]


@pydantic.dataclasses.dataclass(config={"strict": True})
class State:
    """How far a training has come, apart from the variables of its model and optimizer."""

    block: Count = 0  # blocks of batches done of the epoch under way
    steps: Count = 0  # steps done since the beginning
    loss_sum: float = 0.0  # over the rows of these blocks
    seconds: float = 0.0  # since the first step, without the time between two processes
    first_loss: float = float("nan")  # the first step's, that of the untrained network
    best_loss: float = float("inf")  # the lowest validation loss, and where it was reached
    best_epoch: Count = 0
    best_weights: list[Any] = Field(default_factory=list)
    history: list[dict[str, Count | float]] = Field(default_factory=list)  # a row an epoch

    @field_validator("history")
    @classmethod
    def _of_one_form(cls, history: list[dict[str, float]]) -> list[dict[str, float]]:
        if any(set(row) != set(history[0]) for row in history):
            raise ValueError("its rows differ in their columns")
        if history and not set(history[0]) >= {"epoch", "train_loss", "val_loss"}:
            raise ValueError("its rows lack the epoch or a loss")
        return history


class _Header(Form):
    settings: Json[dict[str, Any]]
    counters: Json[State]


@dataclass(frozen=True)
class Checkpoint:
    """Where a training keeps its state, and the settings that the state belongs to."""

    folder: Path
    settings: Mapping[str, Any]  # all that the result depends on, the data included; JSON values
    part: Part = "checkpoint"  # what is trained; a teacher's state is kept, too
    kept: bool = True  # whether this process writes it, as the first of several workers does

    @property
    def file(self) -> Path:
        """The one file of the part that counts."""
        return self.folder / f"{self.part}.safetensors"

    @property
    def _files(self) -> list[Path]:
        """Those of all parts."""
        return [self.folder / f"{part}.safetensors" for part in get_args(Part)]

    @property
    def checksum(self) -> int:
        """Of the settings; below 2**48."""
        text = json.dumps(self.settings, sort_keys=True)
        return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)

    def exists(self) -> bool:
        """Whether there is something to continue from, of any part."""
        return any(file.is_file() for file in self._files)

    def save(self, state: State, variables: Sequence[Any]) -> None:
        """Keep a training's state and its variables, in place of what was kept before.

        Variables go by position, since Keras numbers some names through the life of a process.
        """
        arrays = {f"now.{i}": np.asarray(variable) for i, variable in enumerate(variables)}
        arrays |= {f"best.{i}": weight for i, weight in enumerate(state.best_weights)}
        self.write(state, arrays)

    def load(self, variables: Sequence[Any]) -> State | None:
        """Put the variables back as they were kept; returns the rest, None without a checkpoint.

        Raises:
            InputError: as `read`, or what is kept is no state of this training.
        """
        if (stored := self.read()) is None:
            return None
        state, arrays = stored
        kept = len(arrays) - len(variables)
        try:
            state.best_weights = [arrays[f"best.{i}"] for i in range(kept)]
            if bool(state.history) != bool(state.best_weights):
                raise ValueError("a history without weights, or weights without a history")
            for i, variable in enumerate(variables):
                variable.assign(arrays[f"now.{i}"])
        except (KeyError, TypeError, ValueError) as error:
            raise self.unreadable(error) from error
        return state

    def write(self, state: State, arrays: Mapping[str, Array]) -> None:
        """Replace the checkpoint, whole or not at all; `State.best_weights` is left out.

        Raises:
            InputError: the disk is full or read-only.
        """
        if not self.kept:
            return
        counters = {name: value for name, value in vars(state).items() if name != "best_weights"}
        header = {"settings": self.settings, "counters": counters}
        metadata = {name: json.dumps(value) for name, value in header.items()}
        history = pd.DataFrame(state.history).to_csv(index=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.file, safetensors.numpy.save(dict(arrays), metadata))
            write_whole(self.folder / "history.csv", history)
            log.debug("kept the state in %s", self.folder)
        except OSError as error:
            full = error.errno == errno.ENOSPC
            fault = "the disk is full" if full else error.strerror or str(error)
            raise InputError(
                f"the checkpoint could not be written to {self.folder}: {fault}; the training "
                "was stopped. Mend that, and continue with --resume"
            ) from error

    def read(self) -> tuple[State, dict[str, Array]] | None:
        """State and arrays as they were written last; None if there is no checkpoint.

        Raises:
            InputError: a checkpoint of other settings or other data, or a damaged one.
        """
        if not self.file.is_file():
            return None
        try:
            with safetensors.safe_open(self.file, "numpy") as stored:
                header = json.dumps(stored.metadata()).encode()
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            told = read_json(header, _Header)
        except (OSError, TypeError, ValueError, safetensors.SafetensorError) as error:
            raise self.unreadable(error) from error
        begun, now = told.settings, json.loads(json.dumps(self.settings))  # a tuple becomes a list
        if changed := [name for name in {**begun, **now} if begun.get(name) != now.get(name)]:
            listed = ", ".join(f"{k} {begun.get(k)} (now {now.get(k)})" for k in changed)
            raise InputError(
                f"the training to be resumed from {self.folder} was begun with {one_line(listed)}; "
                "give the same settings and data, or train without --resume to begin anew"
            )
        return told.counters, arrays

    def remove(self) -> None:
        """Remove the checkpoint, and its folder unless somebody has put other files there."""
        for name in (*self._files, self.folder / "history.csv"):
            name.unlink(missing_ok=True)
            name.with_name(f".{name.name}.new").unlink(missing_ok=True)  # of a killed process
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def unreadable(self, why: object) -> InputError:
        """What to raise where what is kept is no state of a training."""
        return InputError(
            f"{self.file} cannot be read ({one_line(why)}); train without --resume to begin anew"
        )


def checkpoint_folder(run_dir: Path) -> Path:
    """The folder of a run's checkpoint, beside the run folder."""
    return run_dir.with_name(f"{run_dir.name}.partial")
