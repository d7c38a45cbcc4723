"""Where data and reports are, in whichever folder a process was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from movierec.paths import data_dir, reports_dir


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for variable in ("MOVIEREC_DATA", "MOVIEREC_REPORTS"):
        monkeypatch.delenv(variable, raising=False)


def test_all_folders_of_a_checkout_find_the_same(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "deeper").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    for folder in (tmp_path, tmp_path / "notebooks", tmp_path / "notebooks" / "deeper"):
        monkeypatch.chdir(folder)
        assert (data_dir(), reports_dir()) == (tmp_path / "data", tmp_path / "reports")


@pytest.mark.parametrize("there", ["pyproject.toml", "notebooks"])
def test_elsewhere_it_is_the_current_folder(tmp_path, monkeypatch, there):
    """A project of somebody else has the one or the other."""
    (tmp_path / there).mkdir()
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert data_dir() == tmp_path / "inner" / "data"
    assert reports_dir() == tmp_path / "inner" / "reports"


def test_the_variables_overrule(monkeypatch):
    monkeypatch.setenv("MOVIEREC_DATA", "films")
    assert (data_dir(), reports_dir().name) == (Path("films"), "reports")
    monkeypatch.setenv("MOVIEREC_REPORTS", "runs")
    assert reports_dir() == Path("runs")
