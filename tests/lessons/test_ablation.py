"""The parts of recipe `best`, one by one."""

from __future__ import annotations

import pytest

from movierec.lessons.ablation import measure_parts
from movierec.models.best import BestRecipe

RECIPE = BestRecipe("best", factors=6, passes=8, members=2)


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("movierec.lessons.ablation.BEST", RECIPE)
        yield


@pytest.fixture(scope="module")
def parts(small_own, quick):
    return {k: v.summary() for k, v in measure_parts(small_own).items()}


def test_every_step_is_measured(parts):
    assert list(parts) == [
        "factors and biases",
        "+ towers of users",
        "+ towers of films",
        "+ 2 models averaged",
        "+ what is watched",
        "only what is watched",
    ]
    assert "rmse" not in parts["only what is watched"]


def test_towers_lower_the_error_and_what_is_watched_makes_the_lists(parts):
    """On the simulated world, in which who watches what tells of tastes."""
    assert parts["+ towers of films"]["rmse"] < parts["factors and biases"]["rmse"]
    assert parts["+ what is watched"]["rmse"] == parts["+ 2 models averaged"]["rmse"]
    by_rating = parts["+ 2 models averaged"]["ranking"]["ndcg@10"]
    assert parts["+ what is watched"]["ranking"]["ndcg@10"] > 1.5 * by_rating


def test_whole_recipe_is_that_of_a_run(small_best, parts):
    """Fitted on the same rows, apart from what newcomers add for the unrated."""
    found = measure_parts(small_best)["+ 2 models averaged"].summary()
    assert found["rmse"] == pytest.approx(small_best.metrics["test"]["rmse"], abs=2e-3)


def test_a_run_on_the_same_rows_stands_for_the_steps_that_it_holds(small_own, small_best, parts):
    found = {k: v.summary() for k, v in measure_parts(small_own, best=small_best).items()}
    assert list(found) == list(parts)
    for name, summary in found.items():
        for metric in summary.keys() & {"rmse", "mae"}:
            assert summary[metric] == pytest.approx(parts[name][metric], abs=2e-3)
        ndcg = parts[name]["ranking"]["ndcg@10"]
        assert summary["ranking"]["ndcg@10"] == pytest.approx(ndcg, abs=0.02)
