"""Sweeps over settings, on a tiny notebook in place of the training."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from movierec.errors import InputError
from movierec.files import alone
from movierec.reports import sweep as sweeping
from movierec.reports.report import NotebookReport
from movierec.reports.sweep import Combination, SweepResult, parsed_grid, sweep

PARAMETERS = """\
rate: float = 0.1  # learning rate
size: int = 2  # rows a step
name: str = ""  # any text
"""
TRAINING = """\
from movierec.lessons.record import record
if rate > 5:
    raise ValueError("the loss <grew> out of hand")
record(validation_loss=rate * size, words=["no", "number"], epochs=size)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    cells = [
        new_markdown_cell("# Training\n\nHow? See [02_shapes](02_shapes.ipynb)."),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(TRAINING),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "03_training.ipynb")
    return folder


@pytest.fixture(scope="module")
def swept(source: Path, tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    grid = {"rate": ["0.5", "9"], "size": ["1", "4"]}
    return sweep(tmp_path_factory.mktemp("sweep") / "out", grid, {}, source, False)


def report_of(metrics: dict[str, float]) -> NotebookReport:
    return NotebookReport(
        name="03_training",
        title="",
        question="",
        before="",
        minutes=1,
        seconds=1.0,
        peak_memory_bytes=2**20,
        metrics=metrics,
        figures=(),
        cover="",
    )


@pytest.fixture
def left(swept: SweepResult, tmp_path: Path) -> Path:
    """A copy of that sweep."""
    return shutil.copytree(swept.out_dir, tmp_path / "out")


def test_every_combination_is_run_with_its_settings(swept: SweepResult):
    assert [one.settings for one in swept.combinations] == [
        {"rate": rate, "size": size} for rate in (0.5, 9.0) for size in (1, 4)
    ]
    for one in swept.combinations[:2]:
        assert one.numbers["validation_loss"] == one.settings["rate"] * one.settings["size"]
        report = json.loads((one.folder / "metrics.json").read_text())
        assert report["notebooks"]["03_training"]["seconds"] == one.numbers["seconds"]
        assert one.report.peak_memory_bytes > 2**20


def test_combination_that_fails_is_told_and_keeps_no_other_from_being_run(swept: SweepResult):
    failures = [one.failure for one in swept.combinations]
    assert failures == [""] * 2 + ["ValueError: the loss <grew> out of hand"] * 2
    page = swept.index.read_text()
    assert "the loss &lt;grew&gt; out of hand" in page
    assert (swept.combinations[-1].folder / "03_training.html").exists()


def test_table_and_json_hold_what_the_reports_recorded(swept: SweepResult):
    told = json.loads((swept.out_dir / "sweep.json").read_text())
    assert told["grid"] == {"rate": [0.5, 9.0], "size": [1, 4]}
    assert told["compared_by"] == "validation_loss"
    losses = [run["metrics"] and run["metrics"]["validation_loss"] for run in told["runs"]]
    assert losses == [0.5, 2.0, None, None]
    page = swept.index.read_text()
    rows = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", rows[2], re.DOTALL)
    one = swept.combinations[1]
    memory = f"{one.numbers['peak memory (MiB)']}"
    # rate, size, validation loss, epochs, seconds, peak memory in MiB
    assert cells[:-1] == ["0.5", "4", "2", "4", f"{one.numbers['seconds']:g}", memory]
    assert "4 runs of 03_training" in page
    assert 'class="best"' in rows[1]
    assert "came from <strong>rate=0.5, size=1</strong>" in page


def test_loss_that_grew_out_of_hand_is_shown(tmp_path: Path):
    losses = (2.0, 214_532.7, float("inf"), float("nan"))
    combinations = tuple(
        Combination({"size": size}, tmp_path / str(size), report=report_of({"training_loss": loss}))
        for size, loss in enumerate(losses)
    )
    page = sweeping._report(tmp_path, combinations).index.read_text()
    assert [f"<td>{shown}</td>" in page for shown in ("2", "214,533", "inf", "nan")] == [True] * 4


def test_page_links_to_files_that_are_there(swept: SweepResult):
    links = re.findall(r'(?:href|src)="([^"]+)"', swept.index.read_text())
    assert "figures/sweep.png" in links
    assert sum(link.endswith("03_training.html") for link in links) == 4
    for link in links:
        assert (swept.out_dir / link).exists(), link
    inner = (swept.combinations[0].folder / "03_training.html").read_text()
    assert "How? See 02_shapes." in inner  # which has no page there


def test_sweep_started_again_runs_only_what_is_missing(source: Path, left: Path, capsys):
    grid = {"rate": [0.5], "size": [1, 4]}
    before = {file: file.stat().st_mtime_ns for file in left.rglob("metrics.json")}
    (left / "runs" / "rate=0.5,size=4" / "index.html").unlink()
    again = sweep(left, grid, {}, source)
    assert [one.fresh for one in again.combinations] == [True, False]
    kept, anew = (one.folder / "metrics.json" for one in again.combinations)
    assert kept.stat().st_mtime_ns == before[kept]
    assert anew.stat().st_mtime_ns > before[anew]
    told = r"/2 rate=0.5, size=1: done before, validation loss 0.5$"
    assert re.search(told, capsys.readouterr().err, re.M)
    third = sweep(left, grid, {}, source, False)
    assert [one.fresh for one in third.combinations] == [True, True]


def test_forced_sweep_asks_for_every_report_anew(
    source: Path, left: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def noted(folder: Path, *_: object, force: bool, **__: object) -> None:
        asked.append(force)
        raise InputError("not here")

    monkeypatch.setattr(sweeping, "run_notebooks", noted)
    for force in (True, False):
        sweep(left, {"rate": [0.5], "size": [1]}, {}, source, False, force=force)
    assert asked == [True, False]


def test_interrupt_keeps_what_was_done(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt  # when the first one is told

    monkeypatch.setattr(sweeping, "_line", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path / "out", {"size": [1, 2]}, {}, source)
    assert (tmp_path / "out" / "runs" / "size=1" / "metrics.json").exists()
    assert not (tmp_path / "out" / "runs" / "size=2").exists()


def test_folder_that_is_locked_fails_its_combination_and_no_other(source: Path, left: Path):
    with alone(left / "runs" / "rate=0.5,size=1"):
        result = sweep(left, {"rate": [0.5], "size": [1, 4]}, {}, source, False)
    locked, free = result.combinations
    assert locked.failure.startswith("InputError: another process is writing to")
    assert free.numbers["validation_loss"] == 2
    assert "another process is writing to" in result.index.read_text()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("mute")])
def test_full_disk_or_mute_kernel_fails_its_combination(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(sweeping, "run_notebooks", failing)
    result = sweep(tmp_path / "out", {"size": [1]}, {}, source, False)
    assert result.combinations[0].failure == f"{type(error).__name__}: {error}"


def test_texts_become_a_grid():
    both = {"rate": ["1e-4", "1e-3"], "size": ["3"]}
    assert parsed_grid(["rate=1e-4, 1e-3", "size=3"]) == both


def test_setting_that_is_there_twice_is_refused():
    with pytest.raises(InputError, match="each setting once"):
        parsed_grid(["a=1", "a=2"])


@pytest.mark.parametrize("text", ["rate", "rate=", "=1", "rate=1,,2", "1,rate=2", "a=1,a=2", ""])
def test_text_that_is_no_grid_is_refused(text: str):
    with pytest.raises(InputError, match=f"got --grid '{text}'; expected"):
        parsed_grid([text])


@pytest.mark.parametrize(
    ("grid", "parameters", "message"),
    [
        ({}, {}, "no values to sweep over"),
        ({"rates": ["1"]}, {}, "'rates'; did you mean rate"),
        ({"size": ["1", "many"]}, {}, "size was given as 'many'; expected a whole number"),
        ({"rate": ["0.1", "1e-1"]}, {}, "rate=0.1 is there twice"),
        ({"rate": ["1"]}, {"rate": 2}, "swept over and set"),
        ({"size": range(501)}, {}, "more than 500 combinations"),
        ({"size": ["1"]}, {"sise": 2}, "'sise'; did you mean size"),
    ],
)
def test_wrong_grid_is_refused_before_anything_starts(
    source: Path, tmp_path: Path, grid: dict, parameters: dict, message: str
):
    with pytest.raises(InputError, match=message):
        sweep(tmp_path / "out", grid, parameters, source)
    assert list(tmp_path.iterdir()) == []


def test_folder_of_something_else_is_refused_and_kept(source: Path, tmp_path: Path):
    (tmp_path / "metrics.json").write_text('{"notebooks": {}}')
    with pytest.raises(InputError, match="is not of a sweep; name a new folder"):
        sweep(tmp_path, {"size": [1]}, {}, source)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize("name", ["figures", "runs", "runs/size=1"])
def test_link_out_of_a_sweep_is_not_followed(source: Path, tmp_path: Path, name: str):
    for folder in (tmp_path / "out" / "runs", tmp_path / "mine"):
        folder.mkdir(parents=True)
    (tmp_path / "out" / "sweep.json").write_text('{"grid": {}, "runs": []}')
    if name == "runs":
        (tmp_path / "out" / "runs").rmdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link that leads out of"):
        sweep(tmp_path / "out", {"size": [1]}, {}, source)
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of this kind is a thing of POSIX")
def test_pipe_in_the_place_of_a_sweep_is_not_waited_for(source: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "sweep.json")
    with pytest.raises(InputError, match="is not of a sweep"):
        sweep(tmp_path, {"size": [1]}, {}, source)


def test_texts_make_folder_names_that_stay_in_the_folder(source: Path, tmp_path: Path):
    names = ["../../x", "a/b", "a b", "a_b", "x" * 300]
    found = [sweeping._folder_name({"name": name}) for name in names]
    assert len(set(found)) == 5
    assert all(re.fullmatch(r"[\w.,=+-]{1,110}", name) and name[0] != "." for name in found)
