"""Which Pythons movierec is for: one range, wherever it is told, and a clear word to all others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from worlds import PROJECT

PYTHONS = ["3.11", "3.12", "3.13"]

# a Python that takes itself for another version, and makes no environment but says that it would
OTHER_PYTHON = """#!/bin/sh
if [ "$1" = -m ]; then echo "would run $*"; exit 9; fi
exec '{python}' -c '
import sys
sys.version_info, sys.version = ({major}, {minor}, 0), "{major}.{minor}.0 (main)"
exec(sys.argv[2])' "$@"
"""


def project() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_range_is_the_same_wherever_it_is_told():
    wanted = SpecifierSet(project()["requires-python"])
    others = [f"3.{minor}" for minor in range(20) if f"3.{minor}" not in PYTHONS]
    assert list(wanted.filter([*PYTHONS, *others])) == PYTHONS
    classified = re.findall(r"Python :: (3\.\d+)", " ".join(project()["classifiers"]))
    assert classified == PYTHONS
    for text in ("README.md", "CONTRIBUTING.md", "Makefile"):
        assert "Python 3.11, 3.12 or 3.13" in (PROJECT / text).read_text("utf-8"), text
    (conda,) = re.findall(
        r"- python=(3\.\d+)$", (PROJECT / "environment.yml").read_text("utf-8"), re.MULTILINE
    )
    assert conda in PYTHONS


def make(folder: Path, version: str, python: str = "python") -> subprocess.CompletedProcess:
    """What `make run` does in an empty folder, where the only Python is of this version."""
    major, minor = version.split(".")
    script = folder / python
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        OTHER_PYTHON.format(python=sys.executable, major=major, minor=minor), encoding="utf-8"
    )
    script.chmod(0o755)
    for name in ("requirements.txt", "pyproject.toml"):
        (folder / name).touch()
    command = ["make", "-f", str(PROJECT / "Makefile"), "run", f"PYTHON={folder / 'python'}"]
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=folder, env=quiet, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("version", ["3.10", "3.14"])
@pytest.mark.parametrize("python", ["python", ".venv/bin/python"])
def test_make_says_in_one_line_that_a_python_will_not_do_and_makes_nothing(
    tmp_path, version, python
):
    done = make(tmp_path, version, python)
    assert done.returncode != 0
    assert done.stdout == ""
    told, *rest = done.stderr.splitlines()
    assert "movierec needs Python 3.11, 3.12 or 3.13" in told
    assert f"which is {version}.0" in told
    assert "make run PYTHON=python3.13" in told
    assert [line.split(" ")[0] for line in rest] == ["make:"]  # its own, that it ends
    assert (tmp_path / ".venv").exists() == (python != "python")


@pytest.mark.skipif(shutil.which("make") is None, reason="no make here")
@pytest.mark.parametrize("version", PYTHONS)
def test_make_goes_on_with_a_python_that_will_do(tmp_path, version):
    done = make(tmp_path, version)
    assert "would run -m venv .venv" in done.stdout
    assert "movierec needs" not in done.stderr
