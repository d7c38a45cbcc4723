"""What the library logs: nothing until asked, then lines with a level and a name on one stream."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from worlds import write_ml1m

from movierec import logs
from movierec.data.datasets import load_dataset
from movierec.reports.kernels import Kernel, execute

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) movierec\S*: .*"
)
SPEAKING = """
import movierec
from movierec.logs import logger

ours = logger("movierec.datasets")
ours.info("a step")
ours.debug("a part")
ours.warning("it is damaged")
logger("other").error("not ours")
print("the result")
"""


@pytest.fixture
def world(tmp_path: Path, small_tables) -> Path:
    write_ml1m(small_tables, tmp_path / "world")
    return tmp_path


@pytest.fixture
def package():
    """The package's logger, left as it was found."""
    package = logging.getLogger("movierec")
    handlers, level = list(package.handlers), package.level
    yield package
    package.handlers[:], package.level = handlers, level
    package.setLevel(level)


def said(folder: Path, code: str, level: str | None = None) -> tuple[str, list[str]]:
    """The standard output and the log lines of some code in a Python of its own."""
    asked = {} if level is None else {logs.LOG_VARIABLE: level}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    return done.stdout, [line for line in lines if line != "not ours"]


def test_nothing_is_logged_until_asked(tmp_path):
    assert said(tmp_path, SPEAKING) == ("the result\n", [])
    assert said(tmp_path, SPEAKING, "") == ("the result\n", [])


def test_asking_for_no_log_loads_no_logging(tmp_path):
    code = "import sys, movierec; print('logging' in sys.modules, 'movierec.logs' in sys.modules)"
    assert said(tmp_path, code)[0] == "False False\n"


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["INFO", "DEBUG", "WARNING"]),
        ("info", ["INFO", "WARNING"]),
        (" Warning ", ["WARNING"]),
        ("error", []),
    ],
)
def test_the_variable_names_the_least_level_and_the_output_stays_the_results(
    tmp_path, level, expected
):
    output, lines = said(tmp_path, SPEAKING, level)
    assert output == "the result\n"
    found = [match[1] for line in lines if (match := LINE.fullmatch(line))]
    assert found == expected, lines
    assert len(lines) == len(expected)


def test_an_unknown_level_is_told_and_stops_nothing(tmp_path):
    output, lines = said(tmp_path, SPEAKING, "loud")
    assert output == "the result\n"
    assert "WARNING movierec: MOVIEREC_LOG is 'loud'; expected debug, info, warning or" in lines[0]
    assert [LINE.fullmatch(line)[1] for line in lines] == ["WARNING", "WARNING"]


def test_a_program_decides_with_logging_itself(world, small_tables, caplog, capfd):
    with caplog.at_level("INFO", "movierec"):
        load_dataset("mine", world / "world")
    (line,) = [line for line in caplog.records if line.name.startswith("movierec")]
    assert line.levelname == "INFO"
    users = len(small_tables.users)
    assert line.getMessage().startswith(f"read mine from {world / 'world'}: {users} users, ")
    assert capfd.readouterr().err == ""  # its handlers alone


def test_showing_twice_writes_each_line_once_and_changes_the_level(package, capsys):
    logs.show("info")
    logs.show("warning")
    package.info("a step")
    package.warning("a fault")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING movierec: a fault")


def test_the_variable_overrules_the_level_that_is_shown(package, monkeypatch, capsys):
    monkeypatch.setenv(logs.LOG_VARIABLE, "debug")
    logs.show("warning")
    package.debug("a part")
    assert capsys.readouterr().err.endswith("DEBUG movierec: a part\n")


def test_a_level_that_is_none_is_told_with_those_that_there_are(package, monkeypatch, capsys):
    monkeypatch.setenv(logs.LOG_VARIABLE, " loud ")
    logs.show("info")
    package.info("a step")
    told, step = capsys.readouterr().err.splitlines()
    expected = "expected debug, info, warning or error. Taken as info"
    assert told.endswith(f"WARNING movierec: MOVIEREC_LOG is 'loud'; {expected}")
    assert step.endswith("INFO movierec: a step")


def test_what_a_terminal_would_obey_is_shown(package, capsys):
    logs.show("info")
    package.info("poster of %s", "Heat\x1b[2J\r\x9b1m \u202e(1995)")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(r"poster of Heat\x1b[2J\r\x9b1m \u202e(1995)")


def test_a_notebook_logs_into_its_own_outputs(world, monkeypatch):
    cell = "import movierec\ntables = movierec.load_dataset('mine', 'world')"
    source = world / "01_one.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    nbformat.write(notebook, source)
    monkeypatch.chdir(world)

    def logged() -> str:
        (shown,) = execute(source, {}, world / "done.ipynb", Kernel()).notebook.cells
        return "".join(output.text for output in shown.outputs if output.name == "stderr")

    assert logged() == ""
    monkeypatch.setenv(logs.LOG_VARIABLE, "info")
    (line,) = logged().splitlines()
    assert LINE.fullmatch(line)
    assert "read mine from world" in line
