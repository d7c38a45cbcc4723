"""Whether a report is still true, also of one that a stranger wrote."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import movierec
from movierec.reports.report import (
    NotebookReport,
    Report,
    _data,
    checksum,
    contents,
    made_from,
    what_changed,
)

NOW = {
    "notebooks": {"01_one": "as ever"},
    "parameters": {},
    "data": "as ever",
    "run": None,
    "code": "as ever",
    "versions": {},
}
CHANGED = "its files are no longer as the batch left them"
UNTOLD = "the one that is there does not say what it was made from"


def report(folder: Path) -> Path:
    (folder / "01_one.html").write_text("<p>mine")
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
    (folder / "index.html").write_text("<p>first")
    files = contents(folder, ["01_one"], b"<p>first")
    told = Report(notebooks={"01_one": one}, made_from=NOW, files=files)
    (folder / "metrics.json").write_text(told.model_dump_json())
    return folder


def test_report_is_true_until_one_of_its_files_is_another(tmp_path: Path):
    assert what_changed(tmp_path, NOW) == "there is none yet"
    assert what_changed(report(tmp_path), NOW) is None
    (tmp_path / "01_one.html").write_text("<p>yours")
    assert what_changed(tmp_path, NOW) == CHANGED
    (report(tmp_path) / "01_one.ipynb").write_text("{}")
    assert what_changed(tmp_path, NOW) == CHANGED


@pytest.mark.parametrize("change", ["other", "gone"])
def test_report_without_its_first_page_or_with_another_is_made_anew(tmp_path: Path, change):
    first = report(tmp_path) / "index.html"
    assert what_changed(tmp_path, NOW) is None
    first.write_text("<p>other") if change == "other" else first.unlink()
    assert what_changed(tmp_path, NOW) == CHANGED


@pytest.mark.parametrize("part", NOW)
def test_what_has_changed_is_named(tmp_path: Path, part: str):
    now = NOW | {part: {"x": "new"} if isinstance(NOW[part], dict) else "new"}
    assert what_changed(report(tmp_path), now) == f"the {part} changed"
    assert "the data and the run" in str(what_changed(tmp_path, now | {"data": 1, "run": 2}))


def test_notebooks_that_were_added_by_hand_are_not_shown(tmp_path: Path):
    file = report(tmp_path) / "metrics.json"
    told = json.loads(file.read_text())
    told["notebooks"]["02_two"] = told["notebooks"]["01_one"]
    file.write_text(json.dumps(told))
    assert what_changed(tmp_path, NOW) == "metrics.json is no longer as the batch left it"


def test_link_out_of_the_folder_is_not_followed(tmp_path: Path):
    (tmp_path / "out").mkdir()
    folder = report(tmp_path / "out")
    (folder / "01_one.html").rename(tmp_path / "page.html")
    (folder / "01_one.html").symlink_to(tmp_path / "page.html")
    assert what_changed(folder, NOW) == CHANGED


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of this kind is a thing of POSIX")
def test_pipe_in_the_place_of_a_report_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "metrics.json")
    assert what_changed(tmp_path, NOW) == "there is none yet"


@pytest.mark.parametrize("told", ["[" * 100_000, "{", "[]", '{"made_from": 1}', "\0"])
def test_text_that_is_no_report_tells_nothing(tmp_path: Path, told: str):
    (report(tmp_path) / "metrics.json").write_text(told)
    assert what_changed(tmp_path, NOW) == UNTOLD


def test_every_file_of_the_package_is_of_its_code(monkeypatch: pytest.MonkeyPatch):
    package = Path(movierec.__file__).parent
    seen: list[Path] = []

    def noted(files, folder):
        seen.extend(file.relative_to(folder) for file in files if file.is_file())
        return checksum([], folder)

    monkeypatch.setitem(made_from.__globals__, "checksum", noted)
    made_from([], {}, None)
    files = {file.relative_to(package) for file in package.rglob("*") if file.is_file()}
    assert {*seen} == {file for file in files if file.parent.name != "__pycache__"}
    assert {file.suffix for file in seen} >= {".py", ".js", ".css", ".j2"}


def test_what_python_keeps_beside_the_code_and_installed_notebooks_are_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = tmp_path / "movierec" / "reports" / "report.py"
    place.parent.mkdir(parents=True)
    place.write_text("1")
    monkeypatch.setitem(made_from.__globals__, "__file__", str(place))
    before = made_from([], {}, None)["code"]
    for name in ("__pycache__/report.cpython-313.pyc.140234", "_notebooks/01_data.ipynb"):
        (place.parent / name).parent.mkdir()
        (place.parent / name).write_text("2")
    assert made_from([], {}, None)["code"] == before
    (place.parent / "new.py").write_text("3")
    assert made_from([], {}, None)["code"] != before


def test_content_or_name_of_any_file_changes_the_checksum(tmp_path: Path):
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_text("1")
    found = {checksum(files, tmp_path)}
    files[1].write_text("2")
    found.add(checksum(files, tmp_path))
    found.add(checksum([files[0], files[1].rename(tmp_path / "c")], tmp_path))
    assert len(found) == 3


def test_file_in_another_folder_is_another_file(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "ratings.csv").write_text("1")
    before = _data(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert _data(tmp_path) != before
