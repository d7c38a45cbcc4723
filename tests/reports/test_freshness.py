"""Whether a report is still true, also of one that a stranger wrote."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import movierec
from movierec.reports import freshness
from movierec.reports.freshness import what_changed
from movierec.reports.report import NotebookReport, Origin, Report

NOW = Origin(
    notebooks={"01_one": "as ever"},
    parameters={},
    data="as ever",
    run=None,
    code="as ever",
    versions={},
)
UNTOLD = "the one that is there does not say what it was made from"


def report(folder: Path, **files: Any) -> Path:
    (folder / "page.html").write_text("<p>mine")
    kept = {"page.html": freshness.checksum([folder / "page.html"])}
    one = NotebookReport(
        name="01_one",
        title="One",
        question="",
        before="",
        minutes=1,
        seconds=1.0,
        peak_memory_bytes=1,
        metrics={},
        figures=(),
        cover="",
    )
    told = Report(notebooks={"01_one": one}, made_from=NOW, files=kept | files)
    (folder / "metrics.json").write_text(told.model_dump_json())
    return folder


def test_report_is_true_until_one_of_its_files_is_another(tmp_path: Path):
    assert what_changed(tmp_path, NOW) == "there is none yet"
    assert what_changed(report(tmp_path), NOW) is None
    (tmp_path / "page.html").write_text("<p>yours")
    assert what_changed(tmp_path, NOW) == "page.html is no longer as the batch left it"


@pytest.mark.parametrize(
    ("part", "called"), [(part, field.title) for part, field in Origin.model_fields.items()]
)
def test_what_has_changed_is_named(tmp_path: Path, part: str, called: str):
    now = NOW.model_copy(
        update={part: {"x": "new"} if isinstance(getattr(NOW, part), dict) else "new"}
    )
    assert what_changed(report(tmp_path), now) == f"{called} changed"
    now = now.model_copy(update={"data": "new", "run": "new"})
    assert "the data and the run" in str(what_changed(tmp_path, now))


def test_notebooks_that_were_added_by_hand_are_not_shown(tmp_path: Path):
    file = report(tmp_path) / "metrics.json"
    told = json.loads(file.read_text())
    told["notebooks"]["02_two"] = told["notebooks"]["01_one"]
    file.write_text(json.dumps(told))
    assert what_changed(tmp_path, NOW) == "metrics.json is no longer as the batch left it"


@pytest.mark.parametrize("name", ["/etc/hosts", "../page.html", "figures/../../page.html"])
def test_names_that_leave_the_folder_are_not_followed(tmp_path: Path, name: str):
    folder = report(tmp_path, **{name: "of what is there"})
    assert what_changed(folder, NOW) == "it names files outside of its folder"


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "out").mkdir()
    folder = report(tmp_path / "out")
    (folder / "page.html").rename(tmp_path / "page.html")
    (folder / "page.html").symlink_to(tmp_path / "page.html")
    assert what_changed(folder, NOW) == "it names files outside of its folder"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of this kind is a thing of POSIX")
def test_pipe_in_the_place_of_a_report_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "metrics.json")
    assert what_changed(tmp_path, NOW) == "there is none yet"


@pytest.mark.parametrize("told", ["[" * 100_000, "{", "[]", '{"made_from": 1}', "\0"])
def test_text_that_is_no_report_tells_nothing(tmp_path: Path, told: str):
    (report(tmp_path) / "metrics.json").write_text(told)
    assert what_changed(tmp_path, NOW) == UNTOLD


def test_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def locked(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    folder = report(tmp_path)
    monkeypatch.setattr(freshness, "checksum", locked)
    assert what_changed(folder, NOW) == "page.html cannot be read (PermissionError)"


def test_every_file_of_the_package_is_of_its_code(tmp_path: Path):
    package = Path(movierec.__file__).parent
    copy = shutil.copytree(
        package, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__", "_notebooks")
    )
    before = freshness._code(copy)
    assert before == freshness._code(package)
    files = sorted(file for file in copy.rglob("*") if file.is_file())
    assert {file.suffix for file in files} >= {".py", ".js", ".css", ".j2"}
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content + b"\n")
        assert freshness._code(copy) != before, file
        file.write_bytes(content)


def test_file_in_another_folder_is_another_file(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ratings.csv").write_text("1")
    before = freshness._data(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert freshness._data(tmp_path) != before
