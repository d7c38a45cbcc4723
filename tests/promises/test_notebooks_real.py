"""The notebooks on some people of MovieLens-1M and on -100K, where they are at hand."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from reading import Read
from verdict_checks import CHECKS, OF_THE_SAMPLE, check
from worlds import write_ml1m

from movierec.baselines import factor_model
from movierec.data.datasets import load_dataset
from movierec.data.tables import Tables
from movierec.evaluation.evaluate import known_and_held_out, measure_methods
from movierec.models.best import BestRecipe
from movierec.reports.notebooks import find_notebooks
from movierec.runs import load_run

pytestmark = pytest.mark.long

PEOPLE = 200  # of MovieLens-1M; their ratings are a 34th of all
PEOPLE_100K = 150  # with a seventh of the ratings
WITH_SENTENCES = ["02_shapes", "03_training", "04_evaluation", "05_both_halves"]
Reads = dict[str, Read]


def read_all(name: str, tables: Tables, path: Path, folder: Path, names: list[str]) -> Reads:
    """Notebooks with short trainings: it is the notebooks that are tested."""
    from movierec.training import train  # here: it is skipped where there is no data

    recipe = BestRecipe("best", factors=6, passes=4, members=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        train(tables, recipe, run_dir=folder / "best")  # the notebooks take it as it is
    given: dict[str, Any] = {"data": name, "path": str(path), "epochs": 2}
    given |= {"run_dir": str(folder / "model"), "best_dir": str(folder / "best")}
    return {name: Read(name, **given) for name in names}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ml-1m")


@pytest.fixture(scope="module")
def reads(real_1m: Tables, folder: Path) -> Reads:
    """Of few people."""
    users, ratings = (each[each["user_id"] <= PEOPLE] for each in (real_1m.users, real_1m.ratings))
    write_ml1m(dataclasses.replace(real_1m, users=users, ratings=ratings), folder / "few")
    tables = load_dataset("ml-1m", folder / "few")
    names = [source.stem for source in find_notebooks()]
    return read_all("ml-1m", tables, folder / "few", folder, names)


def test_data_is_that_of_the_document(reads: Reads) -> None:
    counted = reads["01_data"].recorded
    assert (counted["users"], counted["movies"]) == (PEOPLE, 3883)
    text = re.sub(r"<[^>]+>", " ", reads["01_data"].html)
    joined = re.findall(r"^\s*(\d+)\s+1193\s+([1-5])\s+([01])\s", text, flags=re.MULTILINE)
    # users, ratings and genders of the five rows that the document prints
    assert joined == [
        ("1", "5", "0"), ("2", "5", "1"), ("12", "4", "1"), ("15", "4", "1"), ("17", "5", "1"),
    ]  # fmt: skip


def test_network_has_the_size_of_the_document_but_for_its_misread_titles(
    reads: Reads,
) -> None:
    missing = 6040 - PEOPLE  # of 32 numbers each
    assert reads["02_shapes"].recorded["parameters"] == 541_456 - 32 * missing
    shown = re.sub(r"<[^>]+>|\s+", " ", reads["02_shapes"].html)
    assert re.search(r"read rightly +5,217 +title rows, misread +5,215 ", shown)


def test_network_beats_the_means_and_its_lists_need_both_halves(reads: Reads) -> None:
    measured = reads["04_evaluation"].recorded
    assert measured["test_ndcg_at_10"] > 2 * measured["test_ndcg_at_10_by_stars_alone"]
    [cell] = [c for c in reads["03_training"].notebook.cells if c.id == "03-17-7054e7"]
    shown = cell.outputs[0].data["text/html"]
    losses = dict(re.findall(r"<th[^>]*>(.+?)</th>\s*<td[^>]*>([\d.]+)</td>", shown))
    [kept] = [loss for name, loss in losses.items() if name.startswith("the state that is kept")]
    assert float(kept) < min(float(losses[name]) for name in ("global mean", "user mean"))


def test_factors_by_hand_with_a_prior_are_below_the_plain_factor_model(
    reads: Reads, folder: Path
) -> None:
    run = load_run(folder / "model")
    train, _ = known_and_held_out(run)
    plain = {"plain": factor_model(train, len(run.features.users), len(run.features.movies))}
    by_hand = reads["05_both_halves"].recorded
    assert by_hand["rmse_by_hand"] < measure_methods(run, plain)["plain"].summary()["rmse"]
    assert -0.03 < by_hand["words_change"] < 0.01


def test_answers_to_the_exercises_hold(reads: Reads) -> None:
    assert reads["07_solutions"].recorded["exercises_solved"] == 18


def sentences_of(reads: Reads) -> set[str]:
    """Held to their numbers."""
    return set().union(*(check(read.notebook) for read in reads.values()))


def test_sentences_say_what_the_numbers_of_movielens_1m_say(reads: Reads) -> None:
    assert sentences_of(reads) == set(CHECKS) - OF_THE_SAMPLE


def test_sentences_say_what_the_numbers_of_movielens_100k_say(
    real_folder_100k: Path, tmp_path: Path
) -> None:
    if real_folder_100k.is_file():
        shutil.unpack_archive(real_folder_100k, tmp_path / "all")
    else:
        shutil.copytree(real_folder_100k, tmp_path / "all")
    few = next((tmp_path / "all").rglob("u.data")).parent
    for name in "u.user", "u.data":
        lines = (few / name).read_text("latin-1").splitlines(keepends=True)
        kept = (line for line in lines if int(re.split(r"[|\t]", line)[0]) <= PEOPLE_100K)
        (few / name).write_text("".join(kept), "latin-1")
    tables = load_dataset("ml-100k", few)
    reads = read_all("ml-100k", tables, few, tmp_path, WITH_SENTENCES)
    assert sentences_of(reads) == set(CHECKS) - OF_THE_SAMPLE
