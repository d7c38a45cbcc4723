"""A network that is taught starts at its teacher's leading part, comes close to it, and resumes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from network.test_checkpoints import Cut, same

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.models import best
from movierec.models.best import BestRecipe
from movierec.models.checkpoints import Checkpoint, State
from movierec.models.recipe import Job, Recipe, Trained
from movierec.network import fitting
from movierec.network.network import load_network
from movierec.network.recipes import DISTILLED
from movierec.network.settings import NetworkConfig
from movierec.network.spectral import leading_part, start_at
from movierec.network.towers import TwoTower, all_vectors
from movierec.runs import Run, encode_rows
from movierec.training import train
from movierec.vectors import Rows, pair_scores

pytestmark = pytest.mark.long

TEACHER = BestRecipe("best", factors=5, passes=6, members=2)
# one window of titles in place of four: a step is traced in half the time
NARROW = NetworkConfig(windows=(2,))
RECIPE = dataclasses.replace(DISTILLED, teacher=TEACHER, network=NARROW)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVIEREC_PROGRESS", "off")


@pytest.fixture(scope="module")
def rows(small_tables: Tables, small_features: Features) -> Rows:
    return encode_rows(small_tables, small_features)


@pytest.fixture(scope="module")
def teacher(small_features: Features, rows: Rows, tmp_path_factory: pytest.TempPathFactory):
    nothing = rows.take(np.zeros(0, np.int64))
    kept = Checkpoint(tmp_path_factory.mktemp("teacher"), {})
    return TEACHER.fit(Job(small_features, rows, nothing, 0, kept))


@pytest.fixture(scope="module")
def taught(small_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        return train(small_tables, RECIPE, run_dir=tmp_path_factory.mktemp("taught") / "run")


def expected(teacher: Trained, rows: Rows) -> np.ndarray:
    return pair_scores(teacher.users, teacher.movies, rows.user_idx, rows.movie_idx)


def off(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def test_leading_part_with_all_factors_is_the_whole_model(teacher: Trained, rows: Rows) -> None:
    part = leading_part(teacher, rows, 30)
    factors = np.sum(
        part.users[rows.user_idx, 1:] * part.strength * part.movies[rows.movie_idx, 1:], 1
    )
    biases = (
        part.users[rows.user_idx, 0] * part.bias[0] + part.movies[rows.movie_idx, 0] * part.bias[1]
    )
    assert part.mean + biases + factors == pytest.approx(expected(teacher, rows), abs=1e-4)
    assert (np.diff(part.strength) <= 0).all()


def test_fewer_factors_leave_out_what_matters_less(teacher: Trained, rows: Rows) -> None:
    whole, part = leading_part(teacher, rows, 30), leading_part(teacher, rows, 3)
    assert part.strength == pytest.approx(whole.strength[:3])
    count = np.bincount(rows.user_idx, minlength=len(part.users)) / len(rows.rating)
    assert count @ part.users**2 == pytest.approx(np.ones(4), abs=1e-6)


def test_network_starts_near_its_teacher_with_documented_layers(
    small_features: Features, teacher: Trained, rows: Rows
) -> None:
    model = TwoTower(small_features, DISTILLED.network, 0)
    shapes = {variable.path: variable.shape for variable in model.trainable_variables}
    start_at(model, teacher, rows, seed=0)
    assert {variable.path: variable.shape for variable in model.trainable_variables} == shapes
    wanted = expected(teacher, rows)
    began = pair_scores(*all_vectors(model), rows.user_idx, rows.movie_idx)
    assert off(began, wanted) < 0.4 * wanted.std()


def test_network_ends_closer_to_its_teacher_than_it_began(
    taught: Run, small_tables: Tables, rows: Rows, tmp_path: Path
) -> None:
    losses = taught.history["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    beside = train(small_tables, TEACHER, run_dir=tmp_path / "best")
    mine, theirs = (
        pair_scores(model.users[:, :d], model.films[:, :d], *rows[:2])
        for model, d in (
            # what near films know stands behind the trained columns, and is not taught
            (run.recommender.model, len(run.recommender.model.newcomers.center))
            for run in (taught, beside)
        )
    )
    assert off(mine, theirs) < 0.1
    assert abs(taught.metrics["test"]["rmse"] - beside.metrics["test"]["rmse"]) < 0.02


def test_run_says_who_taught_it_and_its_network_is_opened(taught: Run) -> None:
    assert taught.config["teacher"]["factors"] == TEACHER.factors
    assert load_network(taught).count_params() == taught.info["parameters"]
    assert len(taught.recommender.for_user(1, k=5)) == 5


def test_film_without_ratings_gets_a_newcomers_vector(small_tables: Tables, tmp_path: Path) -> None:
    film = int(small_tables.ratings["movie_id"].iloc[0])
    fewer = small_tables.ratings[small_tables.ratings["movie_id"] != film]
    tables = dataclasses.replace(small_tables, ratings=fewer)
    runs = [train(tables, each, run_dir=tmp_path / each.name) for each in (RECIPE, TEACHER)]
    for run in runs:
        row = int(run.features.movies.encode([film])[0])
        # the user's mean takes part, as it does for every film that nobody has rated
        assert run.recommender.model.films[row, -1] > 0


@pytest.mark.parametrize("writes", [2, 15], ids=["teacher", "network"])
def test_training_cut_off_in_either_part_ends_with_the_same_bits(
    taught: Run,
    small_tables: Tables,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
) -> None:
    monkeypatch.setattr(best, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    write, done = Checkpoint.write, 0

    def cut(self: Checkpoint, *state: Any) -> None:
        nonlocal done
        write(self, *state)
        done += 1
        if done == writes:
            raise Cut

    run_dir = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", cut)
        with pytest.raises(Cut):
            train(small_tables, RECIPE, run_dir=run_dir)
    kept = {file.name for file in (tmp_path / "run.partial").iterdir()}
    assert ("checkpoint.safetensors" in kept) == (writes > TEACHER.passes * TEACHER.members)
    assert same(train(small_tables, RECIPE, run_dir=run_dir, resume=True), taught)
    assert not (tmp_path / "run.partial").exists()


def test_a_worker_that_is_not_the_first_keeps_nothing(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "x", {}, kept=False).write(vars(State()), {})
    assert not (tmp_path / "x").exists()


def test_any_recipe_can_be_the_teacher(
    small_tables: Tables, small_own: Run, tmp_path: Path
) -> None:
    from worlds import MeansRecipe

    means: Recipe = MeansRecipe(name="means")
    run = train(small_tables, dataclasses.replace(RECIPE, teacher=means), run_dir=tmp_path / "run")
    mine, theirs = run.metrics["test"]["rmse"], small_own.metrics["test"]["rmse"]
    assert abs(mine - theirs) < 0.02


def test_it_starts_from_an_earlier_run_in_place_of_its_teacher(
    taught: Run, small_tables: Tables, tmp_path: Path
) -> None:
    more = train(small_tables, RECIPE, run_dir=tmp_path / "more", start_from=taught.path)
    assert more.history["train_loss"].iloc[0] < taught.history["train_loss"].iloc[0]
