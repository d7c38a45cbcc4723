"""`movierec doctor` tells what is there, and what is not with its mend; without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from worlds import write_ml1m

from movierec import doctor
from movierec.doctor import examine


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MOVIEREC_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setattr(doctor, "ROOM", 0.0)  # what is free where the tests run is not their matter


def test_a_machine_with_all_it_needs_has_no_problem(tmp_path, small_run, small_tables):
    write_ml1m(small_tables, tmp_path / "data" / "ml-1m")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "small").symlink_to(small_run.path)
    found = examine()
    assert found["problems"] == []
    assert found["data_sets"] == {"ml-1m": str(tmp_path / "data" / "ml-1m")}
    assert found["newest_run"] == str(tmp_path / "reports" / "small")
    assert found["packages"]["pandas"] == metadata.version("pandas")
    assert set(found["extras"]) == set(metadata.metadata("movierec").get_all("Provides-Extra"))
    assert found["cores"] >= 1


def test_nothing_is_made_by_looking(tmp_path):
    examine()
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_json_loads_no_tensorflow_and_ends_with_0(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['tensorflow'] = sys.modules['keras'] = None  # an import of them fails\n"
        "sys.argv = ['movierec', 'doctor', *sys.argv[1:]]\n"
        "from movierec import doctor\n"
        "from movierec.cli.main import main\n"
        "doctor.ROOM = 0.0\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    for option, end in ([], "Nothing stands in the way.\n"), (["--json"], "}\n"):
        done = subprocess.run(command + option, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith(end)
    assert json.loads(done.stdout)["paths"]["data"] == str(tmp_path / "data")


def test_an_incomplete_data_set_and_a_damaged_run_are_problems(tmp_path, small_tables):
    write_ml1m(small_tables, tmp_path / "data" / "ml-1m")
    (tmp_path / "data" / "ml-1m" / "users.dat").unlink()
    (tmp_path / "data" / "ml-25m.zip").write_bytes(b"PK half a zip")
    (tmp_path / "reports" / "r").mkdir(parents=True)
    (tmp_path / "reports" / "r" / "run.json").write_text('{"format": 99}')
    found = examine()
    missing, cut, damaged = found["problems"]
    assert "data set ml-1m: " in missing
    assert "users.dat is missing" in missing
    assert "ml-25m.zip is not a readable zip" in cut
    assert "run-folder format 99" in damaged
    assert found["data_sets"] == {}
    assert found["newest_run"] is None


def test_a_folder_that_cannot_be_used_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file")
    monkeypatch.setattr(doctor, "ROOM", float("inf"))
    taken, full = examine()["problems"]
    assert "data is a file" in taken
    assert "set MOVIEREC_DATA to another folder" in taken
    assert "GiB left" in full
    assert "MOVIEREC_REPORTS" in full


def test_who_is_asked_for_posters_is_told_and_the_key_is_not(tmp_path, monkeypatch):
    monkeypatch.delenv("TMDB_TOKEN", raising=False)
    assert examine()["posters"] == {}
    monkeypatch.setenv("TMDB_TOKEN", "0123456789abcdef")
    monkeypatch.setenv("MOVIEREC_LANGUAGE", "zh-CN")
    found = examine()
    assert found["posters"] == {"provider": "TMDB", "language": "zh-CN"}
    assert "0123456789abcdef" not in repr(found)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MOVIEREC_LANGUAGE", "Chinese")
    assert "expected such as en-US or zh-CN" in examine()["problems"][0]


@pytest.mark.parametrize(
    ("needs", "told"),
    [
        ("no-such-package>=2", "no-such-package is not installed; install it with `pip install"),
        ("numpy>=999", "expected >=999: install it with"),
    ],
)
def test_a_requirement_that_is_not_met_is_told_with_its_mend(monkeypatch, needs, told):
    monkeypatch.setattr(metadata, "requires", lambda name: [needs, "numpy>=1", "x; extra == 'y'"])
    (problem,) = examine()["problems"]
    assert told in problem
    assert doctor.missing_extras() == []  # they ask for nothing here


def test_an_extra_is_missing_where_a_package_of_it_is(monkeypatch):
    told = Message()
    told["Requires-Python"] = ">=3.11"
    for extra in ("page", "lab", "app", "all"):
        told["Provides-Extra"] = extra
    monkeypatch.setattr(metadata, "metadata", lambda name: told)
    asked = {"movierec": ["numpy[fast]>=1; extra == 'lab'", "no-such; extra == 'app'"]}
    asked["movierec"] += ["movierec[lab,page]; extra == 'all'", "pandas; extra == 'page'"]
    asked["numpy"] = ["no-such-either; extra == 'fast'"]
    monkeypatch.setattr(metadata, "requires", lambda name: asked.get(name, []))
    found = examine()
    assert found["extras"] == {"all": False, "app": False, "lab": False, "page": True}
    assert doctor.missing_extras() == ["all", "app", "lab"]
    assert found["problems"] == []


def test_a_requirement_of_another_system_is_not_asked_for():
    other = [Requirement('no-such; sys_platform == "amiga"')]
    assert list(doctor._unmet(other, "")) == []
