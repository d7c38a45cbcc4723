"""Notebooks on data and runs that lack something: they say so, and go on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reading import Read

from movierec.errors import InputError
from movierec.reports.notebooks import run_notebooks
from movierec.runs import Run
from movierec.sample.simulate import simulate

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIEREC_PROGRESS", "off")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of few ratings, of which none were held out, and the best one beside it."""
    from movierec.training import train  # here: what is skipped needs no TensorFlow

    tables = simulate(n_users=60, n_movies=90, n_ratings=2500, seed=1).tables
    folder = tmp_path_factory.mktemp("few")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        return train(tables, "fast", run_dir=folder / "model", holdout="none", epochs=1)


@pytest.mark.parametrize(
    "name", ["03_training", "04_evaluation", "05_both_halves", "06_recommend", "07_solutions"]
)
def test_few_ratings_of_which_none_were_held_out_are_told_of(few: Run, name: str) -> None:
    before = contents(few.path)
    read = Read(name, run_dir=str(few.path), best_dir=str(few.path.parent / "best"), reuse=True)
    assert contents(few.path) == before  # of which 03 trains none anew
    assert read.recorded
    assert [figure for figure in read.recorded if figure.startswith("test_")] == []
    assert read.printed == "" or name == "03_training"  # which tells its epochs
    if name == "04_evaluation":
        expected = few.metrics["validation"]["rmse"]
        assert read.recorded["validation_rmse"] == pytest.approx(expected)
        assert "validation rows" in read.html  # a table says which were measured


def test_a_run_without_network_is_reported_on_without_what_is_about_one(
    small_best: Run, tmp_path: Path
) -> None:
    path = shutil.copytree(small_best.path, tmp_path / "run")
    before = contents(path)
    report = run_notebooks(path, only=["02_shapes", "03_training", "04_evaluation"], progress=False)
    assert [notebook.name for notebook in report.notebooks] == ["04_evaluation"]
    assert "02_shapes and 03_training are about one" in (report.out_dir / "index.html").read_text(
        "utf-8"
    )
    recorded = report.notebooks[0].metrics
    assert recorded["test_rmse"] == pytest.approx(small_best.metrics["test"]["rmse"])
    for name in ("05_both_halves", "06_recommend"):
        assert Read(name, run_dir=str(path), best_dir=str(path)).recorded
    assert contents(path).items() >= before.items()
    assert not (path / "best").exists()  # nothing was trained


def test_a_recipe_without_network_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'best', which trains no network.*--run DIR"):
        run_notebooks(tmp_path / "report", {"recipe": "best"}, progress=False)
    assert not (tmp_path / "report").exists()


def test_data_that_says_nothing_of_people_and_genres_is_told_of_too(tmp_path: Path) -> None:
    """The form of the newer sets, at its poorest."""
    world = simulate(n_users=60, n_movies=90, n_ratings=2500, seed=1).tables
    data = tmp_path / "data"
    data.mkdir()
    movies = world.movies.drop(columns="year").assign(genres="(no genres listed)")
    movies.rename(columns={"movie_id": "movieId"}).to_csv(data / "movies.csv", index=False)
    named = {"user_id": "userId", "movie_id": "movieId"}
    world.ratings.rename(columns=named).to_csv(data / "ratings.csv", index=False)
    first, second = (Read(name, data="mine", path=str(data)) for name in ("01_data", "02_shapes"))
    assert "what is known" in first.html
    assert "no genre" in first.html
    assert second.recorded["shapes_agree"] is True
    assert first.printed + second.printed == ""  # no warning
