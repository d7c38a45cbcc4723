"""What an interrupted training leaves: it comes back as it was, or is refused with what to do."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from movierec.errors import InputError
from movierec.models import checkpoints
from movierec.models.checkpoints import Checkpoint, State, checkpoint_folder

SETTINGS = {"seed": 3, "sizes": (1, 2), "fraction": 0.5}
ROW = {"epoch": 1, "train_loss": 0.5, "val_loss": 0.75}


class Variable:
    """As Keras has them."""

    def __init__(self, *numbers: float) -> None:
        self.value = np.array(numbers, np.float32)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self.value

    def assign(self, value: np.ndarray) -> None:
        if value.shape != self.value.shape:
            raise ValueError("of another shape")
        self.value = value


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(checkpoint_folder(tmp_path / "runs" / "run"), SETTINGS)


def state(**changes) -> State:
    """After an epoch, whose best weights are not those of now."""
    best = [np.array([7], np.float32), np.array([8, 9], np.float32)]
    given = {"block": 2, "steps": 5, "best_epoch": 1, "best_weights": best, "history": [ROW]}
    return State(**given | changes)


def test_state_variables_and_best_weights_come_back(checkpoint):
    assert checkpoint.load([Variable(1)]) is None
    assert not checkpoint.exists()
    checkpoint.save(state(), [Variable(1), Variable(2, 3)])
    variables = [Variable(0), Variable(0, 0)]
    found = Checkpoint(checkpoint.folder, dict(reversed(SETTINGS.items()))).load(variables)
    assert [each.value.tolist() for each in variables] == [[1], [2, 3]]
    assert [each.tolist() for each in found.best_weights] == [[7], [8, 9]]
    assert (found.block, found.steps, found.best_epoch, found.history) == (2, 5, 1, [ROW])
    assert pd.read_csv(checkpoint.folder / "history.csv").to_dict("records") == [ROW]
    assert checkpoint.folder.name == "run.partial"


def test_a_state_that_is_none_of_this_training_is_refused(checkpoint):
    two = [Variable(1), Variable(2, 3)]
    for changed, variables in (
        ({"best_weights": []}, two),
        ({"history": []}, two),
        ({}, [Variable(1), Variable(2)]),
        ({}, [*two, Variable(4), Variable(5), Variable(6)]),
    ):
        checkpoint.save(state(**changed), two)
        with pytest.raises(
            InputError, match=r"checkpoint.safetensors cannot be read \(.*begin anew"
        ):
            checkpoint.load(variables)


def test_other_settings_are_told_with_what_they_were(checkpoint):
    checkpoint.save(state(), [])
    other = Checkpoint(checkpoint.folder, {"seed": 4, "sizes": (1, 2), "epochs": 9})
    with pytest.raises(InputError) as caught:
        other.read()
    told = "begun with seed 3 (now 4), fraction 0.5 (now None), epochs None (now 9); give the same"
    assert told in str(caught.value)


def test_parts_are_kept_apart_and_go_together(checkpoint):
    teacher = Checkpoint(checkpoint.folder, SETTINGS, "teacher")
    teacher.save(state(steps=9), [])
    assert checkpoint.exists()
    assert checkpoint.read() is None
    checkpoint.save(state(), [])
    assert teacher.read()[0].steps == 9
    (checkpoint.folder / ".checkpoint.safetensors.new").touch()  # of a killed process
    checkpoint.remove()
    assert not checkpoint.folder.exists()
    checkpoint.remove()


def test_files_of_others_stay_in_the_folder(checkpoint):
    checkpoint.save(state(), [])
    (checkpoint.folder / "mine").touch()
    checkpoint.remove()
    assert [file.name for file in checkpoint.folder.iterdir()] == ["mine"]


def test_only_the_first_of_several_processes_writes(checkpoint):
    Checkpoint(checkpoint.folder, SETTINGS, kept=False).save(state(), [Variable(1)])
    assert not checkpoint.folder.exists()


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "Read-only file system"), (None, "broken")],
)
def test_what_cannot_be_written_stops_the_training_with_a_message(
    checkpoint, monkeypatch, number, told
):
    def failing(path: Path, content: bytes) -> None:
        raise OSError("broken") if number is None else OSError(number, "Read-only file system")

    monkeypatch.setattr(checkpoints, "write_whole", failing)
    with pytest.raises(InputError, match=f"written to .*run.partial: {told}; the training was sto"):
        checkpoint.save(state(), [])


def test_a_damaged_file_is_told(checkpoint):
    checkpoint.save(state(), [])
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"cannot be read \(.*train without --resume"):
        checkpoint.read()
    header = b'{"x":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    checkpoint.file.write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(InputError, match=r"cannot be read \(.*train without --resume"):
        checkpoint.read()
