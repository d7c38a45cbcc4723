"""What makes a training comfortable to watch: it stops by itself, keeps logs, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from click.testing import CliRunner

from movierec import training
from movierec.cli.main import cli
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.sample.simulate import simulate
from movierec.training import train

SETTINGS: dict[str, Any] = {"recipe": "fast", "batch_size": 512}


@pytest.fixture(scope="module")
def tables() -> Tables:
    return simulate(n_users=90, n_movies=80, n_ratings=4500, seed=1).tables


def test_training_stops_when_patience_ends_and_logs_what_it_did(
    tables: Tables, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    run = train(tables, run_dir=tmp_path / "r", epochs=40, patience=2, tensorboard=logs, **SETTINGS)
    validation = run.history["val_loss"]
    assert run.best_epoch == int(validation.idxmin()) + 1
    assert len(run.history) == run.best_epoch + 2 < 40
    (file,) = (logs / "r").iterdir()
    logged = [
        (event.step, value.tag, value.simple_value)
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    assert len(logged) == 3 * len(run.history)
    assert (1, "val_loss", pytest.approx(validation[0])) in logged


def test_a_training_that_diverges_is_stopped_with_the_reason(
    tables: Tables, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"diverged: the loss began at 1\..* over epoch 2; lower"):
        train(tables, run_dir=tmp_path / "r", epochs=40, learning_rate=30.0, **SETTINGS)


def test_control_c_says_how_to_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    result = CliRunner().invoke(cli, ["train", "--data", "sample", "--recipe", "fast"])
    assert result.exit_code == 130
    assert "continue with the same command and --resume" in result.stderr
