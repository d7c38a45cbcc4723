"""The notebooks on some people of MovieLens-1M and on -100K, where they are at hand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import nbformat
import pytest
from verdict_checks import CHECKS, OF_THE_SAMPLE, check
from worlds import write_ml1m

from movierec.baselines import factor_model
from movierec.data.datasets import load_dataset
from movierec.data.tables import Tables
from movierec.evaluation.evaluate import known_and_held_out, measure_methods
from movierec.models.best import BestRecipe
from movierec.reports.notebooks import BatchResult, run_notebooks
from movierec.runs import load_run

pytestmark = pytest.mark.long

PEOPLE = 1500  # their ratings are a quarter of all


WITH_SENTENCES = ["02_shapes", "03_training", "04_evaluation", "05_both_halves"]


def short_batch(
    name: str, tables: Tables, path: Path, folder: Path, only: list[str]
) -> BatchResult:
    """A batch with short trainings: it is the notebooks that are tested."""
    from movierec.training import train  # here: it is skipped where there is no data

    recipe = BestRecipe("best", factors=6, passes=4, members=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        train(tables, recipe, run_dir=folder / "best")  # the batch takes it as it is
    given = {"data": name, "path": path, "epochs": 2}
    return run_notebooks(folder, given, progress=False, only=only)


@pytest.fixture(scope="module")
def report(real_1m: Tables, tmp_path_factory: pytest.TempPathFactory) -> BatchResult:
    """Of few people."""
    folder = tmp_path_factory.mktemp("ml-1m")
    users, ratings = (each[each["user_id"] <= PEOPLE] for each in (real_1m.users, real_1m.ratings))
    write_ml1m(dataclasses.replace(real_1m, users=users, ratings=ratings), folder / "few")
    tables = load_dataset("ml-1m", folder / "few")
    return short_batch("ml-1m", tables, folder / "few", folder / "report", [])


def recorded(report: BatchResult, name: str) -> dict:
    return next(notebook.metrics for notebook in report.notebooks if notebook.name == name)


def said(report: BatchResult, name: str, form: str = "text/markdown") -> str:
    """All that a notebook put out in a form."""
    notebook = nbformat.read(report.out_dir / f"{name}.ipynb", as_version=4)
    shown = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return "\n".join(output.get("data", {}).get(form, "") for output in shown)


def test_data_is_that_of_the_document(report: BatchResult) -> None:
    counted = recorded(report, "01_data")
    assert (counted["users"], counted["movies"]) == (PEOPLE, 3883)
    text = re.sub(r"<[^>]+>", " ", said(report, "01_data", "text/html"))
    joined = re.findall(r"^\s*(\d+)\s+1193\s+([1-5])\s+([01])\s", text, flags=re.MULTILINE)
    # users, ratings and genders of the five rows that the document prints
    assert joined == [
        ("1", "5", "0"), ("2", "5", "1"), ("12", "4", "1"), ("15", "4", "1"), ("17", "5", "1"),
    ]  # fmt: skip


def test_network_has_the_size_of_the_document_but_for_its_misread_titles(
    report: BatchResult,
) -> None:
    missing = 6040 - PEOPLE  # of 32 numbers each
    assert recorded(report, "02_shapes")["parameters"] == 541_456 - 32 * missing
    assert "5,217 rows when read rightly, 5,215 when misread" in said(report, "02_shapes")


def test_network_beats_the_means_and_its_lists_need_both_halves(report: BatchResult) -> None:
    measured = recorded(report, "04_evaluation")
    assert measured["test_ndcg_at_10"] > 2 * measured["test_ndcg_at_10_by_stars_alone"]
    beaten = re.search(r"It is below ([^.]+)\.", said(report, "03_training"))
    assert beaten is not None
    assert {"global mean", "user mean"} <= set(beaten[1].split(", "))


def test_factors_by_hand_with_a_prior_are_below_the_plain_factor_model(report: BatchResult) -> None:
    run = load_run(report.out_dir)
    train, _ = known_and_held_out(run)
    plain = {"plain": factor_model(train, len(run.features.users), len(run.features.movies))}
    by_hand = recorded(report, "05_both_halves")
    assert by_hand["rmse_by_hand"] < measure_methods(run, plain)["plain"].summary()["rmse"]
    assert -0.03 < by_hand["words_change"] < 0.01


def test_answers_to_the_exercises_hold(report: BatchResult) -> None:
    assert recorded(report, "07_solutions")["exercises_solved"] == 18


def sentences_of(report: BatchResult) -> set[str]:
    """Held to their numbers."""
    notebooks = [report.out_dir / f"{each.name}.ipynb" for each in report.notebooks]
    return set().union(*(check(nbformat.read(path, as_version=4)) for path in notebooks))


def test_sentences_say_what_the_numbers_of_movielens_1m_say(report: BatchResult) -> None:
    assert sentences_of(report) == set(CHECKS) - OF_THE_SAMPLE


def test_sentences_say_what_the_numbers_of_movielens_100k_say(
    real_100k: Tables, real_folder_100k: Path, tmp_path: Path
) -> None:
    report = short_batch("ml-100k", real_100k, real_folder_100k, tmp_path, WITH_SENTENCES)
    assert sentences_of(report) == set(CHECKS) - OF_THE_SAMPLE
