"""Two runs or reports side by side: numbers are evaluation's, and nothing of a stranger runs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from worlds import write_drawn_run

from movierec.errors import InputError
from movierec.evaluation.evaluate import compare
from movierec.models.best import BestRecipe
from movierec.reports.comparison import compare_folders
from movierec.runs import Run, load_run
from movierec.training import train


@pytest.fixture(scope="module")
def other_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same rows held out, another recipe."""
    return write_drawn_run(tmp_path_factory.mktemp("other") / "run", "fast", seed=1)


ENTRY = {"name": "03_training", "title": "Training", "question": "How?", "figures": []}
ENTRY |= {"seconds": 12.5, "peak_memory_bytes": 300 * 2**20, "metrics": {}}
ORIGIN = {"notebooks": {}, "parameters": {}, "data": None, "run": None, "code": "0"}
ORIGIN |= {"versions": {"movierec": "0.1.0"}}


def report(folder: Path, run: Run, **recorded: Any) -> Path:
    """A report as the notebooks leave it, as far as it is read here."""
    shutil.copytree(run.path, folder / "model")
    entry = ENTRY | {"metrics": recorded}
    origin = ORIGIN | {"parameters": {"recipe": run.config["recipe"], "data": "small"}}
    write(folder, {"03_training": entry}, origin)
    return folder


def write(folder: Path, notebooks: dict, origin: dict = ORIGIN) -> None:
    told = {"notebooks": notebooks, "made_from": origin, "files": {}}
    (folder / "metrics.json").write_text(json.dumps(told))


def test_differences_on_held_out_rows_are_those_of_evaluation(drawn_run: Run, other_run: Run):
    found = compare_folders(drawn_run.path, other_run.path)["held_out"]["the run"]
    expected = compare([drawn_run, other_run])["runs"]
    assert found["rows"] == expected[1]["rows_tested"]
    assert found["metrics"]["rmse"] == {
        "first": expected[0]["rmse"],
        "second": expected[1]["rmse"],
        **expected[1]["difference"]["rmse"],
    }
    assert set(found["metrics"]) == set(expected[1]["difference"])


def test_settings_that_differ_are_named_and_others_are_not(drawn_run: Run, other_run: Run):
    settings = compare_folders(drawn_run.path, other_run.path)["settings"]
    assert settings == {"the run": {"recipe": ["best", "fast"]}}
    assert compare_folders(drawn_run.path, drawn_run.path)["settings"] == {}


def test_reports_are_compared_by_what_their_notebooks_recorded(
    drawn_run: Run, other_run: Run, tmp_path: Path
):
    first = report(tmp_path / "a", drawn_run, loss=0.5, rows=3, words=["x"], agree=True)
    second = report(tmp_path / "b", other_run, loss=0.75, rows=3, words=["y"], agree=False, new=1)
    result = compare_folders(first, second, tmp_path / "pages" / "both.html")
    assert result["figures"] == {"03_training": {"loss": [0.5, 0.75], "rows": [3, 3]}}
    assert result["took"]["03_training"]["peak memory (MiB)"] == [300, 300]
    assert result["settings"]["parameters"] == {"recipe": ["best", "fast"]}
    page = (tmp_path / "pages" / "both.html").read_text()
    cells = r"<td>0.5</td><td>0.75</td><td>\+0.25</td>"
    assert re.search(rf"03_training</th><td class=\"text\">loss</td>{cells}", page)
    assert "data:image/png;base64," in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert json.loads(json.dumps(result)) == result


def test_recipe_best_of_two_reports_is_compared_beside_their_runs(
    drawn_run: Run, other_run: Run, tmp_path: Path
):
    first, second = (report(tmp_path / name, other_run) for name in ("a", "b"))
    shutil.copytree(drawn_run.path, first / "best")
    result = compare_folders(first, second)
    assert set(result["held_out"]) == {"the run"}
    assert result["not_compared"] == {"recipe best": "only one of the two has it"}
    shutil.copytree(drawn_run.path, second / "best")
    both = compare_folders(first, second)["held_out"]
    assert both["recipe best"]["metrics"]["rmse"]["difference"] == 0


def test_runs_of_different_rows_say_why_their_errors_are_not_compared(
    small_best: Run, tmp_path: Path
):
    recipe = BestRecipe("best", factors=2, passes=1, members=1)
    run = train(small_best.tables, recipe, run_dir=tmp_path / "run", holdout_seed=1)
    result = compare_folders(small_best.path, run.path, tmp_path / "page.html")
    assert "different test rows" in result["not_compared"]["the run"]
    assert "different test rows" in (tmp_path / "page.html").read_text()
    assert result["settings"]["the run"]["holdout_seed"] == [0, 1]
    assert result["settings"]["the run"]["factors"] == [6, 2]


def test_folder_that_is_neither_is_refused(drawn_run: Run, tmp_path: Path):
    with pytest.raises(InputError, match="is not a run folder"):
        compare_folders(drawn_run.path, tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        compare_folders(tmp_path / "none", drawn_run.path)
    with pytest.raises(InputError, match="is a folder; expected the name of a page"):
        compare_folders(drawn_run.path, drawn_run.path, tmp_path)


@pytest.mark.parametrize("told", ["[]", "{", '{"notebooks": {"a": 1}}', "[" * 100_000, "\0"])
def test_report_of_a_stranger_that_is_none_is_refused(drawn_run: Run, tmp_path: Path, told: str):
    folder = report(tmp_path / "a", drawn_run)
    (folder / "metrics.json").write_text(told)
    with pytest.raises(InputError, match="is not what a batch of notebooks writes"):
        compare_folders(folder, folder)


@pytest.mark.parametrize(
    "entry",
    [
        {"metrics": {"rows": 10**400}, "seconds": 1, "peak_memory_bytes": 1},
        {"metrics": {}, "seconds": 1, "peak_memory_bytes": float("inf")},
        {"metrics": {}, "seconds": 1, "peak_memory_bytes": 10**400},
        {"metrics": {}, "seconds": 10**400, "peak_memory_bytes": 1},
    ],
    ids=["metrics", "endless memory", "memory", "seconds"],
)
def test_figures_beyond_all_measure_are_refused(drawn_run: Run, tmp_path: Path, entry: dict):
    folder = report(tmp_path / "a", drawn_run)
    write(folder, {"03_training": ENTRY | entry})
    with pytest.raises(InputError, match="is not what a batch of notebooks writes"):
        compare_folders(folder, folder)


@pytest.mark.parametrize("name", ["model", "best"])
def test_link_out_of_a_report_is_not_followed(drawn_run: Run, tmp_path: Path, name: str):
    folder = report(tmp_path / "a", drawn_run)
    (folder / "model").rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=f"{name} is a link that leads out of"):
        compare_folders(folder, drawn_run.path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of this kind is a thing of POSIX")
def test_pipe_in_the_place_of_figures_is_not_waited_for(drawn_run: Run, tmp_path: Path):
    folder = report(tmp_path / "a", drawn_run)
    (folder / "metrics.json").unlink()
    os.mkfifo(folder / "metrics.json")
    assert compare_folders(folder, folder)["figures"] == {}


def test_losses_that_grew_out_of_hand_are_shown(drawn_run: Run, tmp_path: Path):
    first = report(tmp_path / "a", drawn_run, loss=float("inf"), error=float("nan"))
    second = report(tmp_path / "b", drawn_run, loss=2.0, error=1.0)
    compare_folders(first, second, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<td>inf</td><td>2</td><td>-inf</td>" in page
    assert "<td>–</td><td>1</td><td>–</td>" in page


def test_texts_of_a_stranger_are_shown_as_text(drawn_run: Run, tmp_path: Path):
    nasty = "<script>alert(1)</script>"
    folder = tmp_path / "run"
    shutil.copytree(drawn_run.path, folder)
    info = load_run(folder).info | {"dataset": nasty}
    (folder / "run.json").write_text(json.dumps(info))
    first = report(tmp_path / "a", load_run(folder), **{nasty: 1})
    second = report(tmp_path / "b", drawn_run, **{nasty: 2})
    compare_folders(first, second, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2
