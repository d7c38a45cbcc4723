"""A training that is interrupted, in any way and at any moment, ends as if it had not been."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from worlds import PROJECT

from movierec import files, training
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.models.checkpoints import Checkpoint, State
from movierec.network import fitting
from movierec.network.fitting import Fit, compile_steps, fit
from movierec.network.recipes import FAST
from movierec.network.settings import NetworkConfig
from movierec.network.towers import TwoTower
from movierec.runs import Run, encode_rows, write_run
from movierec.sample.simulate import simulate
from movierec.training import train

pytestmark = pytest.mark.long

# one window of titles in place of four: a step is traced in half the time
NARROW = dataclasses.replace(FAST, network=NetworkConfig(windows=(2,)))
SETTINGS: dict[str, Any] = {"recipe": NARROW, "epochs": 3, "batch_size": 256}
STATE = State(first_loss=1.0)
ROWS_PER_CALL = 1024  # several blocks an epoch


@pytest.fixture(scope="module")
def tables() -> Tables:
    return simulate(n_users=90, n_movies=80, n_ratings=4500, seed=1).tables


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "ROWS_PER_CALL", ROWS_PER_CALL)


@pytest.fixture(scope="module")
def uninterrupted(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run; beside it, in `last`, its checkpoint after its last epoch, before it was written."""
    folder = tmp_path_factory.mktemp("whole")

    def write(path: Path, **what: Any) -> Run:
        shutil.copytree(folder / "run.partial", folder / "last")
        return write_run(path, **what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "ROWS_PER_CALL", ROWS_PER_CALL)
        patch.setattr(training, "write_run", write)
        return train(tables, run_dir=folder / "run", **SETTINGS)


def same(one: Run, other: Run) -> bool:
    """Whether two runs have the same numbers, bit for bit; seconds are no part of that."""
    files = ("weights.safetensors", "stars.safetensors", "watching.safetensors")
    return (
        all(one.info["files"][name] == other.info["files"][name] for name in files)
        and one.history.drop(columns="seconds").equals(other.history.drop(columns="seconds"))
        and one.metrics == other.metrics
        and one.best_epoch == other.best_epoch
    )


class Cut(BaseException):
    """Ends a training in a test as a signal would: nothing catches it."""


class Trainer:
    """Trains one network from its start on the same rows; a training can be cut off."""

    def __init__(self, tables: Tables, checkpoint: Checkpoint) -> None:
        features = Features.fit(tables)
        rows, number = encode_rows(tables, features), np.arange(len(tables.ratings))
        self.train = rows.take(number[number % 10 > 0])
        self.validation = rows.take(number[number % 10 == 0])
        self.checkpoint = checkpoint
        self.recipe = NARROW.changed(epochs=3, batch_size=256)
        self.model = TwoTower(features, self.recipe.network, seed=0)
        self.compiled = compile_steps(
            self.model, self.recipe, self.recipe.learning_rate, average=0.9
        )
        self.variables = [*self.model.variables, *self.compiled.optimizer.variables]
        self.start = [variable.numpy() for variable in self.variables]

    def __call__(self, cut_after: int | None = None) -> tuple[Fit, list[bytes]]:
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)
        blocks = 0

        def count(done: int, total: int, loss: float) -> None:
            nonlocal blocks
            blocks += 1
            if blocks == cut_after:
                raise Cut

        result = fit(
            self.model,
            self.train,
            self.validation,
            self.recipe,
            on_progress=count,
            checkpoint=self.checkpoint,
            compiled=self.compiled,
        )
        return result, [variable.numpy().tobytes() for variable in self.model.trainable_variables]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "run.partial", {"seed": 0})


def test_a_training_cut_off_in_its_epochs_ends_with_the_same_bits(
    tables: Tables, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(tables, checkpoint)
    whole, weights = trainer()
    checkpoint.remove()
    for seconds, cut_after in (60, 6), (0, 3):  # an epoch has five blocks
        monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", seconds)  # 0: after each block
        with pytest.raises(Cut):
            trainer(cut_after)
    stored = checkpoint.read()
    assert stored is not None
    assert (len(stored[0].history), stored[0].block) == (1, 2)
    resumed, resumed_weights = trainer()
    assert resumed_weights == weights
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))
    assert resumed.history["seconds"].is_monotonic_increasing


def test_the_state_that_counts_is_that_before_a_write_that_was_cut_off(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write(STATE, {"a": np.arange(3)})

    def cut(*_: Any) -> None:
        raise Cut

    for moment in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(files.os, moment, cut)
            with pytest.raises(Cut):
                checkpoint.write(dataclasses.replace(STATE, steps=2), {"a": np.arange(1000)})
        stored = checkpoint.read()
        assert stored is not None
        assert stored[0] == STATE
        assert stored[1]["a"].tolist() == [0, 1, 2]
    checkpoint.remove()
    assert not checkpoint.folder.exists()


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from movierec.network import fitting
from movierec.training import train
from movierec.sample.simulate import simulate
from network.test_checkpoints import ROWS_PER_CALL, SETTINGS

folder, fitting.ROWS_PER_CALL = Path(sys.argv[1]), ROWS_PER_CALL
fitting.CHECKPOINT_SECONDS = 0
tables = simulate(n_users=90, n_movies=80, n_ratings=4500, seed=1).tables
moments = random.Random(0)


def stamp():
    try:
        return (folder.with_name("run.partial") / "checkpoint.safetensors").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


for life in range(3):
    if not (child := os.fork()):  # TensorFlow is loaded but has not started, so this is safe
        train(tables, run_dir=folder, resume=True, **SETTINGS)
        os._exit(0)
    if life == 2:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    before = stamp()
    while stamp() == before and not os.waitpid(child, os.WNOHANG)[0]:
        time.sleep(0.001)
    time.sleep(moments.uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_python(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "tests")])
    environment = os.environ | {"PYTHONPATH": path, "MOVIEREC_PROGRESS": "lines"}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 is a thing of POSIX systems")
def test_a_training_killed_again_and_again_ends_with_the_same_bits(
    uninterrupted: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    done = run_python(KILLED, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["-9"] * 2
    assert done.stderr.count("resuming from") == 2
    assert same(training.load_run(folder), uninterrupted)
    assert os.listdir(tmp_path) == ["run"]


@pytest.fixture
def interrupted(uninterrupted: Run, tmp_path: Path) -> Path:
    """Where a run was to be written that was killed before it was, beside its checkpoint."""
    shutil.copytree(uninterrupted.path.parent / "last", tmp_path / "run.partial")
    return tmp_path / "run"


def test_the_history_so_far_stands_beside_the_run(interrupted: Path, uninterrupted: Run) -> None:
    partial = interrupted.with_name("run.partial")
    assert sorted(os.listdir(partial)) == ["checkpoint.safetensors", "history.csv"]
    history = pd.read_csv(partial / "history.csv").drop(columns="seconds")
    assert history.equals(uninterrupted.history.drop(columns="seconds"))


def test_a_run_killed_before_it_was_written_is_only_written(
    interrupted: Path, tables: Tables, uninterrupted: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert same(train(tables, run_dir=interrupted, resume=True, **SETTINGS), uninterrupted)
    assert "resuming from" in (told := capsys.readouterr().err)
    assert "epoch" not in told
    assert not interrupted.with_name("run.partial").exists()


def test_resuming_with_other_settings_or_data_is_refused(interrupted: Path, tables: Tables) -> None:
    with pytest.raises(
        InputError, match=r"begun with batch_size 256 \(now 512\), seed 0 \(now 1\)"
    ):
        train(tables, run_dir=interrupted, resume=True, **SETTINGS | {"batch_size": 512, "seed": 1})
    ratings = tables.ratings.assign(rating=tables.ratings["rating"].to_numpy()[::-1].copy())
    with pytest.raises(InputError, match="begun with .*data_sha256"):
        train(
            dataclasses.replace(tables, ratings=ratings),
            run_dir=interrupted,
            resume=True,
            **SETTINGS,
        )
    assert interrupted.with_name("run.partial").exists()


def test_a_damaged_checkpoint_is_refused(interrupted: Path, tables: Tables) -> None:
    file = interrupted.with_name("run.partial") / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="cannot be read .* without --resume to begin anew"):
        train(tables, run_dir=interrupted, resume=True, **SETTINGS)


def test_a_new_run_starts_fresh_and_says_so(
    interrupted: Path, tables: Tables, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = train(tables, run_dir=interrupted, **SETTINGS | {"epochs": 1})
    assert len(fresh.history) == 1
    assert f"removing {interrupted}.partial" in capsys.readouterr().err


def test_resuming_what_is_complete_or_was_never_begun(
    tables: Tables, tmp_path: Path, uninterrupted: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    again = train(tables, run_dir=uninterrupted.path, resume=True, **SETTINGS)
    assert again.info == uninterrupted.info
    assert "already complete" in capsys.readouterr().err
    with pytest.raises(InputError, match="complete run of other settings"):
        train(tables, run_dir=uninterrupted.path, resume=True, **SETTINGS | {"epochs": 4})
    begun = train(tables, run_dir=tmp_path / "run", resume=True, **SETTINGS | {"epochs": 1})
    assert len(begun.history) == 1
    assert "from the beginning" in capsys.readouterr().err


def test_a_full_disk_leaves_the_last_checkpoint(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write(STATE, {"a": np.arange(3)})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full"):
        checkpoint.write(STATE, {"a": np.arange(4)})
    assert checkpoint.read() is not None
    assert sorted(os.listdir(checkpoint.folder)) == [
        "checkpoint.safetensors",
        "history.csv",
    ]
