"""A run beside another: trained once on the same rows, and anew where what is there differs."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from worlds import MeansRecipe, drawn_tables

from movierec.data.tables import Tables
from movierec.lessons.opening import train_beside
from movierec.models.best import BestRecipe
from movierec.runs import Run
from movierec.training import train

MEANS = MeansRecipe("means")
QUICK_BEST = BestRecipe("best", factors=3, passes=1, members=1)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return drawn_tables()


@pytest.fixture
def quick_best(monkeypatch) -> None:
    """`best` by its name, in a fraction of its time."""
    monkeypatch.setattr("movierec.models.recipe.offer", lambda kind, name: QUICK_BEST)


def test_another_recipe_is_trained_once_on_the_same_rows(tables, tmp_path, quick_best):
    run = train(tables, MEANS, run_dir=tmp_path / "own")
    best = train_beside(run)
    assert best.path == tmp_path / "own-best"
    assert best.config["recipe"] == "best"
    assert np.array_equal(best.part == "test", run.part == "test")
    assert not (best.part == "validation").any()
    written = (best.path / "run.json").stat().st_mtime_ns
    assert train_beside(run).path == best.path
    assert (best.path / "run.json").stat().st_mtime_ns == written
    assert train_beside(run, run_dir=tmp_path / "other").path == tmp_path / "other"


def test_a_run_of_the_notebooks_has_it_in_the_same_folder(tables, tmp_path, quick_best):
    run = train(tables, MEANS, run_dir=tmp_path / "model", holdout="none")
    best = train_beside(run)
    assert best.path == tmp_path / "best"
    assert set(best.part) == {"train"}


@pytest.mark.parametrize("differs", ["recipe", "rows", "data"])
def test_what_is_there_and_differs_is_replaced(tables, tmp_path, quick_best, differs):
    run = train(tables, MEANS, run_dir=tmp_path / "own")
    beside = train_beside(run)
    if differs == "recipe":
        shutil.rmtree(beside.path)
        shutil.copytree(run.path, beside.path)
    elif differs == "rows":
        run = Run(run.path, run.info)
        run.__dict__["part"] = np.roll(run.part, 1)
    else:
        fewer = dataclasses.replace(tables, ratings=tables.ratings.iloc[:-1])
        run = train(fewer, MEANS, run_dir=run.path)
    found = train_beside(run)
    assert found.path == beside.path
    assert found.config["recipe"] == "best"
    assert np.array_equal(found.part == "test", run.part == "test")
    assert len(found.tables.ratings) == len(run.tables.ratings)
