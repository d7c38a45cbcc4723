"""Kills, full and read-only disks, a second process, and bad networks: a message, nothing lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from commands import movierec
from nbformat.v4 import new_code_cell, new_notebook
from worlds import MeansRecipe, write_ml1m

from movierec.errors import InputError
from movierec.files import alone, write_whole
from movierec.network.recipes import FAST
from movierec.reports.notebooks import run_notebooks
from movierec.reports.sweep import sweep
from movierec.runs import check_target, load_run
from movierec.serving.batch import recommend_all
from movierec.serving.export import export
from movierec.training import train

pytestmark = pytest.mark.long

KILLS = Path(__file__).parent / "faults" / "kills.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 is a thing of POSIX systems")
def test_killed_writers_leave_the_earlier_or_the_new_state():
    kinds = ["download", "run", "checkpoint", "posters"]
    command = [sys.executable, str(KILLS), *kinds, "--kills", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+) +3 kills", done.stdout, re.M) == kinds


@pytest.mark.parametrize("look", ["load", "train"])
def test_a_kill_between_the_two_moves_of_a_run_loses_neither(tmp_path, small_own, look):
    workplace = tmp_path / ".run.writing"
    for name in ("new", "old"):
        shutil.copytree(small_own.path, workplace / name)
    (workplace / "old" / "history.csv").write_text("epoch\n")
    path = tmp_path / "run"
    if look == "train":
        check_target(path)  # what a training does first
    assert load_run(path).history.equals(small_own.history)


# --- a second process ----------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from movierec.files import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """A folder that another process is writing to; that process."""
    path = tmp_path / "run"
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    yield path, holder
    holder.kill()
    holder.wait()
    holder.stdout.close()


def test_second_process_on_a_folder_says_so_and_ends_with_2(held, small_tables):
    path, holder = held
    told = f"another process is writing to {path}; wait until it has ended, or name another"
    write_ml1m(small_tables, path.parent / "world")
    done = movierec(
        path.parent, "train", "--data", "w", "--from", path.parent / "world", "--run", path
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    with pytest.raises(InputError, match=re.escape(told)):
        run_notebooks(path)
    assert not path.exists()


def test_lock_of_a_killed_process_is_no_lock(held):
    path, holder = held
    holder.kill()
    holder.wait()
    with alone(path):
        pass
    assert os.listdir(path.parent) == []


def test_a_folder_is_free_again_after_an_error(tmp_path):
    with pytest.raises(RuntimeError), alone(tmp_path / "run"):
        raise RuntimeError
    with alone(tmp_path / "run"), alone(tmp_path / "other"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_workers_that_do_not_write_need_no_lock(held, small_own, small_tables, monkeypatch):
    path, _ = held

    class Second(MeansRecipe):
        def is_chief(self) -> bool:
            return False

        def meet(self) -> None:
            shutil.copytree(small_own.path, path)  # as the first worker has written it by then

    run = train(small_tables, Second("second"), run_dir=path)
    assert (run.path, run.info) == (path, small_own.info)
    monkeypatch.setenv("TF_CONFIG", '{"task": {"type": "worker", "index": 1}}')
    assert not FAST.is_chief()


# --- disks ---------------------------------------------------------------------------------------


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_full_disk_stops_a_training_with_a_message(small_disk, small_own):
    (small_disk / "mine").write_bytes(b"x" * 1000)
    before = contents(small_disk)
    with pytest.raises(InputError, match="the disk is full.*continue with --resume"):
        train(small_own.tables, FAST, run_dir=small_disk / "run", epochs=1, batch_size=4096)
    left = contents(small_disk)
    assert {name for name in left if not name.startswith("run.partial/")} == set(before)
    assert left["mine"] == before["mine"]


@pytest.mark.parametrize("form", ["parquet", "savedmodel", "onnx"])
def test_export_to_a_full_disk_says_so_and_leaves_nothing(small_disk, small_own, form):
    (small_disk / "filler").write_bytes(b"x" * 200_000)
    with pytest.raises(OSError, match="No space left"):
        export(small_own, small_disk / "elsewhere", (form,))
    assert os.listdir(small_disk) == ["filler"]


def test_lists_that_fill_a_disk_keep_whole_parts_and_go_on_elsewhere(
    small_disk, small_own, tmp_path
):
    import pandas as pd

    users = tmp_path / "users.parquet"
    small_own.tables.users[["user_id"]].to_parquet(users)
    out = small_disk / "lists"
    with pytest.raises(OSError, match="No space left"):
        recommend_all(small_own.path, users, out, k=100, part_size=10)
    parts = sorted(out.glob("part-*"))
    assert 0 < len(parts) < 30
    assert all(len(pd.read_parquet(part)) for part in parts)
    assert not (out / "_SUCCESS").exists()
    shutil.copytree(out, tmp_path / "lists")  # to where there is room
    facts = recommend_all(small_own.path, users, tmp_path / "lists", k=100, part_size=10)
    assert facts["made"] == 30 - len(parts)


@pytest.fixture
def writers(small_disk, small_own, small_tables, tmp_path) -> dict[str, Callable[[], object]]:
    """All that writes into a folder, on the small disk."""
    users, source = tmp_path / "users.parquet", tmp_path / "source"
    small_own.tables.users[["user_id"]].to_parquet(users)
    source.mkdir()
    cells = [new_code_cell("x: int = 1", metadata={"tags": ["parameters"]})]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), source / "03_training.ipynb")
    return {
        "train": lambda: train(small_tables, MeansRecipe("means"), run_dir=small_disk / "run"),
        "notebooks": lambda: run_notebooks(small_disk / "report", source_dir=source),
        "sweep": lambda: sweep(small_disk / "sweep", {"x": [1]}, source_dir=source),
        "export": lambda: export(small_own, small_disk / "export", ("parquet",)),
        "lists": lambda: recommend_all(small_own.path, users, small_disk / "lists"),
        "one file": lambda: write_whole(small_disk / "mine", "theirs"),
    }


WRITERS = ["train", "notebooks", "sweep", "export", "lists", "one file"]


@pytest.mark.parametrize("writer", WRITERS)
def test_full_disk_is_said_and_what_was_there_stays(small_disk, writers, writer):
    (small_disk / "mine").write_text("mine")
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(b"x" * 2**20)
    before = contents(small_disk)
    with pytest.raises((InputError, OSError), match=r"No space left|the disk is full"):
        writers[writer]()
    assert contents(small_disk) == before


@pytest.mark.parametrize("writer", WRITERS)
def test_read_only_disk_is_said_and_nothing_changes(small_disk, writers, writer):
    (small_disk / "mine").write_text("mine")
    make_read_only(small_disk)
    with pytest.raises((InputError, OSError), match="Read-only file system"):
        writers[writer]()
    assert contents(small_disk) == {"mine": b"mine"}
