"""Several devices or workers train as one: the same step, each on its share of every batch."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from worlds import PROJECT

from movierec.errors import InputError
from movierec.models.best import BestRecipe
from movierec.network import workers
from movierec.network.recipes import DISTILLED, FAST
from movierec.network.settings import NetworkConfig
from movierec.runs import load_run
from movierec.sample.simulate import simulate
from movierec.training import train

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are forked"),
]

# Workers are forked from a process in which TensorFlow is loaded, which takes seconds, but has not
# started. A batch of 2137 leaves a single row of the 4275 for the last step: fewer than workers.
SCRIPT = """
import json, os, signal, socket, sys
from pathlib import Path
import safetensors.numpy
import tensorflow as tf
from movierec import training
from movierec.network import fitting, network, workers
from movierec.errors import WorkerLostError
from movierec.sample.simulate import simulate
from network.test_workers import RECIPE as recipe

folder = Path(sys.argv[1])
tables = simulate(n_users=90, n_movies=80, n_ratings=4500, seed=1).tables


def train(name, resume=False):
    training.train(tables, recipe, run_dir=folder / name, resume=resume, **json.loads(sys.argv[2]))


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def two_workers(name, resume=False, second_dies=False):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    children = []
    for index in range(2):
        if child := os.fork():
            children.append(child)
            continue
        task = {"type": "worker", "index": index}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": hosts}, "task": task})
        fit, loss, calls = network.fit, fitting.loss, []

        def fit_and_keep(model, *rest):
            result = fit(model, *rest)
            weights = {v.path: v.numpy() for v in model.trainable_variables}
            safetensors.numpy.save_file(weights, folder / f"{name}-{index}.safetensors")
            return result

        def loss_or_death(*arguments):
            calls.append(1)
            if second_dies and index == 1 and len(calls) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return loss(*arguments)

        network.fit, fitting.loss = fit_and_keep, loss_or_death
        try:
            train(name, resume)
        except WorkerLostError as error:
            print(f"worker {index}: {error}", flush=True)
            sys.exit(1)
        sys.exit(0)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def alone(name, seconds):
    if child := os.fork():
        return child
    os.dup2(os.open(folder / f"{name}.log", os.O_WRONLY | os.O_CREAT), 2)
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    task = {"type": "worker", "index": 1}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": hosts}, "task": task})
    workers.START_SECONDS = seconds
    train(name)


def two_devices(name):
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    workers._one_machine = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    train(name)
    sys.exit(0)


waiting = alone("alone", seconds=5)  # while the others work
print(two_workers("workers"), two_devices("devices"))
print(two_workers("killed", second_dies=True), (folder / "killed.partial").exists())
print(two_workers("killed", resume=True), (folder / "killed.partial").exists())
print(os.waitstatus_to_exitcode(os.waitpid(waiting, 0)[1]))
"""
SETTINGS: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 2137,
    "holdout": "none",
    "validation_fraction": 0.05,
}
# all that networks do: with a teacher, as `distilled`, and an average of the weights, as `fast`
RECIPE = dataclasses.replace(
    DISTILLED,
    teacher=BestRecipe("best", factors=5, passes=6, members=2),
    average=FAST.average,
    network=NetworkConfig(windows=(2,), title_dropout=0.0),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script left: runs `workers` and `devices`, and `one`, of a single device.

    The weights that each worker had at its end are in `workers-0.safetensors` and
    `workers-1.safetensors`, what was printed in `told`, and `alone.log` is of a worker alone.
    """
    folder = tmp_path_factory.mktemp("distribution")
    tables = simulate(n_users=90, n_movies=80, n_ratings=4500, seed=1).tables
    one = train(tables, RECIPE, run_dir=folder / "one", **SETTINGS)
    assert one.info["rows"]["train"] % SETTINGS["batch_size"] == 1
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "tests")])
    done = subprocess.run(
        [sys.executable, "-u", "-c", SCRIPT, str(folder), json.dumps(SETTINGS)],
        env=os.environ | {"PYTHONPATH": path, "MOVIEREC_PROGRESS": "lines"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (folder / "told").write_text(done.stdout)
    return folder


@pytest.mark.parametrize("name", ["workers", "devices"])
def test_two_equal_one_with_the_whole_batch_within_rounding(folder: Path, name: str) -> None:
    one, two = load_run(folder / "one"), load_run(folder / name)
    np.testing.assert_allclose(two.history["val_loss"], one.history["val_loss"], rtol=1e-5)
    np.testing.assert_allclose(two.history["train_loss"], one.history["train_loss"], rtol=1e-5)
    for path, weight in one.weights.items():
        np.testing.assert_allclose(two.weights[path], weight, atol=1e-4, err_msg=path)


def test_two_workers_end_with_the_same_weights(folder: Path) -> None:
    first, second = (
        safetensors.numpy.load_file(folder / f"workers-{index}.safetensors") for index in (0, 1)
    )
    assert first.keys() == second.keys()
    assert all(first[path].tobytes() == second[path].tobytes() for path in first)
    written = load_run(folder / "workers").weights
    assert all(first[path].tobytes() == written[path].tobytes() for path in first)


def test_a_killed_worker_ends_the_other_with_a_message_and_resume_continues(folder: Path) -> None:
    first, *told = (folder / "told").read_text().splitlines()
    assert first == "[0, 0] 0"
    assert told[0].startswith("worker 0: another worker ended or cannot be reached")
    assert told[1:3] == ["[1, -9] True", "[0, 0] False"]
    resumed, whole = load_run(folder / "killed"), load_run(folder / "workers")
    assert (
        resumed.info["files"]["weights.safetensors"] == whole.info["files"]["weights.safetensors"]
    )


def test_a_worker_that_is_alone_ends_within_bounds(folder: Path) -> None:
    assert (folder / "told").read_text().endswith("\n1\n")
    said = (folder / "alone.log").read_text()
    assert re.search(r"(?s)waiting for all 2 workers.*Timeout \(0:00:05\)", said), said
    assert not (folder / "alone").exists()


def test_a_tf_config_that_names_no_cluster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in "{", '{"cluster": ["a:1", "b:1"]}', '{"cluster": {"worker": 2}}', "[]":
        monkeypatch.setenv("TF_CONFIG", text)
        with pytest.raises(InputError, match="TF_CONFIG is .*; expected"):
            workers.worker_count()


def test_workers_that_were_started_differently_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "told_by_all", lambda value: [value, value + 1.0])
    with pytest.raises(InputError, match=r"do not agree on the step \(5, 6\)"):
        workers.check_agreement("the step", 5)
