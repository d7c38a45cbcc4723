"""Baselines by hand and by what they must find; a whole run, measured and compared."""

from __future__ import annotations

import math
import shutil

import numpy as np
import pytest

from movierec.data.features import Features
from movierec.data.splits import split
from movierec.errors import InputError
from movierec.evaluation import baselines
from movierec.evaluation.evaluate import (
    compare,
    comparison_table,
    evaluate,
    known_and_held_out,
    measure,
    row_groups,
)
from movierec.evaluation.metrics import rating_metrics
from movierec.runs import Run, encode_rows
from movierec.sample.simulate import Simulation
from movierec.training import best_of
from movierec.vectors import Rows

# --- baselines -----------------------------------------------------------------------------------

RATED = Rows(
    np.array([1, 1, 2], dtype=np.int32),
    np.array([1, 2, 1], dtype=np.int32),
    np.array([5, 3, 1], dtype=np.float32),
)


@pytest.mark.parametrize(
    ("name", "user", "movie", "expected"),
    [
        ("global mean", 1, 1, 3),
        ("global mean", 9, 9, 3),
        ("user mean", 1, 2, 3 + 2 / (2 + 5)),
        ("user mean", 2, 2, 3 - 2 / (1 + 5)),
        ("user mean", 9, 1, 3),  # never seen
        ("movie mean", 2, 1, 3 + 0 / (2 + 5)),
        ("movie mean", 2, 2, 3),
        ("movie mean", 1, 9, 3),
        ("biases", 9, 9, 3),
        ("factor model", 9, 9, 3),
    ],
)
def test_baselines_by_hand(name, user, movie, expected):
    predict = baselines.BASELINES[name](RATED, 10, 10).predict
    assert predict(np.array([user]), np.array([movie]))[0] == pytest.approx(expected)


def test_biases_are_the_least_damped_squares():
    """The alternating means end where no bias can be moved to lessen the damped error."""
    rng = np.random.default_rng(0)
    user_idx = rng.integers(0, 20, 400).astype(np.int32)
    movie_idx = rng.integers(0, 15, 400).astype(np.int32)
    rating = rng.integers(1, 6, 400).astype(np.float32)
    design = np.zeros((400 + 35, 35))
    design[np.arange(400), user_idx] = 1
    design[np.arange(400), 20 + movie_idx] = 1
    design[400:] = math.sqrt(baselines.DAMPING) * np.eye(35)
    target = np.append(rating - rating.mean(dtype=np.float64), np.zeros(35))
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    expected = rating.mean(dtype=np.float64) + solution[user_idx] + solution[20 + movie_idx]
    fitted = baselines.biases(Rows(user_idx, movie_idx, rating), 20, 15)
    assert fitted.predict(user_idx, movie_idx) == pytest.approx(expected, abs=1e-4)


def test_popularity_counts_likes_only():
    movie_idx = np.array([1, 1, 1, 3], dtype=np.int32)
    rating = np.array([5, 4, 3.5, 4.5], dtype=np.float32)
    scores = baselines.popularity(Rows(np.zeros(4, np.int32), movie_idx, rating), 2, 5).scores
    assert scores(np.array([0, 1])).tolist() == [[0, 2, 0, 1, 0]] * 2


@pytest.fixture(scope="module")
def world_rows(small_world: Simulation) -> tuple[Rows, Rows, Features]:
    """The small world's training and test rows."""
    features = Features.fit(small_world.tables)
    rows = encode_rows(small_world.tables, features)
    train, test = split(small_world.tables.ratings)
    return rows.take(train), rows.take(test), features


def test_factor_model_finds_the_tastes_that_biases_cannot():
    """Ratings of two tastes and little noise: most of what biases leave is found."""
    rng = np.random.default_rng(0)
    users, movies = rng.normal(0, 1, (200, 2)), rng.normal(0, 0.7, (100, 2))
    user_idx, movie_idx = (
        axis.astype(np.int32) for axis in np.nonzero(rng.random((200, 100)) < 0.5)
    )
    stars = (
        3 + (users[user_idx] * movies[movie_idx]).sum(axis=1) + rng.normal(0, 0.1, len(user_idx))
    )
    rows = Rows(user_idx, movie_idx, stars.astype(np.float32))
    order = rng.permutation(len(user_idx))
    train, test = rows.take(order[1000:]), rows.take(order[:1000])
    errors = {}
    for name in ("biases", "factor model"):
        predict = baselines.BASELINES[name](train, 200, 100).predict
        errors[name] = rating_metrics(test.rating, predict(test.user_idx, test.movie_idx))["mse"]
    assert errors["factor model"] < 0.2 * errors["biases"]


def test_factor_model_orders_films_by_the_rating_that_it_predicts(world_rows):
    train, _, features = world_rows
    fitted = baselines.factor_model(train, len(features.users), len(features.movies))
    user_idx, movie_idx = np.full(5, 3), np.arange(1, 6)
    scores = fitted.scores(np.array([3]))[0, 1:6]
    assert scores == pytest.approx(fitted.predict(user_idx, movie_idx), abs=1e-5)


def test_factor_model_is_repeatable_and_changes_with_its_seed(world_rows):
    train, test, features = world_rows
    pairs = test.user_idx[:50], test.movie_idx[:50]
    first, again, other = (
        baselines.factor_model(train, len(features.users), len(features.movies), seed).predict(
            *pairs
        )
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_ease_puts_the_withheld_film_of_a_checkerboard_first():
    """Even users like even films, odd users odd ones; each withheld film must come first."""
    liked = [(u, m) for u in range(12) for m in range(10) if (u + m) % 2 == 0]
    given = np.array([(u, m) for u, m in liked if m != u % 10], dtype=np.int32)
    train = Rows(given[:, 0], given[:, 1], np.full(len(given), 5, dtype=np.float32))
    scores = baselines.ease(train, 12, 10).scores(np.arange(12))
    scores[train.user_idx, train.movie_idx] = -np.inf
    assert scores.argmax(axis=1).tolist() == [u % 10 for u in range(12)]


def test_ease_is_the_ridge_of_each_film_on_the_others():
    rng = np.random.default_rng(0)
    liked = rng.random((40, 6)) < 0.4
    user_idx, movie_idx = (axis.astype(np.int32) for axis in np.nonzero(liked))
    train = Rows(user_idx, movie_idx, np.full(len(user_idx), 4, dtype=np.float32))
    scores = baselines.ease(train, 40, 6).scores(np.arange(40))
    for film in range(6):
        others = np.delete(liked, film, axis=1).astype(float)
        gram = others.T @ others + baselines.EASE_DAMPING * np.eye(5)
        weights = np.linalg.solve(gram, others.T @ liked[:, film])
        assert scores[:, film] == pytest.approx(others @ weights, abs=1e-6)


# --- a whole run ---------------------------------------------------------------------------------


def test_evaluation_of_a_run_agrees_with_its_predictions(small_run):
    result = evaluate(small_run)
    test = small_run.tables.ratings[small_run.part == "test"]
    scores = small_run.recommender.predict(test["user_id"], test["movie_id"])
    assert result["mse"] == pytest.approx(float(((scores - test["rating"]) ** 2).mean()), rel=1e-5)
    assert result["mse"] == pytest.approx(small_run.metrics["test"]["mse"], rel=1e-5)
    assert result["rows_trained"] == (small_run.part == "train").sum() == 10_260
    assert result["rows_tested"] == len(test) == 1200
    assert result["seconds"] == small_run.seconds["train"]
    assert result["ranking"]["users"] == test.loc[test["rating"] >= 4, "user_id"].nunique()


def test_evaluation_measures_baselines_on_the_same_rows(small_run):
    found = evaluate(small_run)["baselines"]
    train, test = known_and_held_out(small_run)
    assert len(train.rating) == 10_800
    mean = train.rating.mean(dtype=np.float64)
    assert found["global mean"]["mse"] == pytest.approx(float(np.mean((test.rating - mean) ** 2)))
    assert found["biases"]["mse"] < found["movie mean"]["mse"] < found["global mean"]["mse"]
    assert set(found) == set(baselines.BASELINES)
    assert set(found["most often liked"]) == set(found["EASE"]) == {"ranking", "intervals"}
    assert "ranking" not in found["global mean"]


def test_every_method_has_the_same_metrics_each_within_its_interval(small_run):
    result = evaluate(small_run, k=5)
    for summary in (result, *result["baselines"].values()):
        ranking = summary.get("ranking", result["ranking"])
        assert set(ranking) == set(result["ranking"])
        values = summary | summary.get("ranking", {})
        assert {"rmse", "mae"} & set(values) or {"ndcg@5", "recall@5"} <= set(values)
        for name, (low, high) in summary["intervals"].items():
            assert low <= values[name] <= high, name


def test_lists_of_a_run_follow_its_scores_not_its_ratings(small_run, monkeypatch):
    """What films are ordered by is `Recommender.scores`; here, against the ratings."""
    before = measure([small_run])[0]["fast"]
    scores = small_run.recommender.scores
    monkeypatch.setattr(small_run.recommender, "scores", lambda user_idx: -scores(user_idx))
    after = measure([small_run])[0]["fast"]
    assert np.array_equal(before.predicted, after.predicted)
    assert not np.isin(before.lists, after.lists).all()


def test_no_list_holds_what_was_seen_in_training(small_run):
    train, _ = known_and_held_out(small_run)
    seen = set(zip(train.user_idx.tolist(), train.movie_idx.tolist(), strict=True))
    for name, found in measure([small_run])[0].items():
        if found.lists is not None:
            shown = {
                (int(u), int(m))
                for u, row in zip(found.users, found.lists, strict=True)
                for m in row
            }
            assert not shown & seen, name


def test_one_film_lists_have_no_diversity_and_say_so_by_leaving_it_out(small_run):
    ranking = evaluate(small_run, k=1)["ranking"]
    assert "diversity@1" not in ranking
    assert ranking["precision@1"] == pytest.approx(ranking["mrr@1"])


def test_lists_of_no_film_are_refused(small_run):
    with pytest.raises(InputError, match="got k = 0; expected"):
        evaluate(small_run, k=0)


def test_learned_rows_get_errors_but_no_lists(small_run):
    result = evaluate(small_run, "train")
    assert result["rows_tested"] == 10_260
    assert "ranking" not in result
    assert "EASE" not in result["baselines"]


def test_ease_is_left_out_of_a_catalogue_too_large_for_it(small_run, monkeypatch):
    monkeypatch.setattr("movierec.evaluation.evaluate.EASE_FILMS", 149)
    result = evaluate(small_run)
    assert "EASE" not in result["baselines"]
    assert "up to 149 films; this catalogue has 150" in result["left_out"]["EASE"]


def test_runs_are_compared_on_the_same_users(small_run, tmp_path):
    shutil.copytree(small_run.path, tmp_path / "moved")
    twin = Run(tmp_path / "moved", small_run.info)
    twin.recommender.user_vectors = twin.recommender.user_vectors * np.float32(1.2)
    result = compare([small_run, twin])
    first, second = result["runs"]
    assert (first["method"], second["method"]) == ("small", "moved")
    assert "difference" not in first
    gap = second["difference"]["mse"]
    assert gap["difference"] == pytest.approx(second["mse"] - first["mse"])
    assert 0 < gap["low"] < gap["difference"] < gap["high"]
    assert set(result["baselines"]) == set(baselines.BASELINES)


def test_runs_of_other_held_out_rows_are_not_compared(small_run):
    other = Run(small_run.path, small_run.info)
    other.__dict__["part"] = np.roll(small_run.part, 1)
    with pytest.raises(InputError, match="different test rows; expected runs of the same data"):
        compare([small_run, other])


def test_runs_of_different_recipes_go_by_their_names(small_run, tmp_path):
    best = best_of(small_run, tmp_path / "run")
    names = [run["method"] for run in compare([small_run, best])["runs"]]
    assert names == ["fast", "best"]


def test_best_of_a_run_has_its_held_out_rows_and_is_trained_once(small_run, tmp_path):
    folder = tmp_path / "best"
    best = best_of(small_run, folder)
    assert np.array_equal(best.part == "test", small_run.part == "test")
    assert not (best.part == "validation").any()
    written = (folder / "run.json").stat().st_mtime_ns
    assert best_of(small_run, folder).path == folder
    assert (folder / "run.json").stat().st_mtime_ns == written
    assert best_of(best).path == folder  # it is of that recipe


def test_best_of_another_run_replaces_what_held_out_other_rows(small_run, small_best, tmp_path):
    folder = tmp_path / "best"
    shutil.copytree(small_best.path, folder)
    other = Run(small_run.path, small_run.info)
    other.__dict__["part"] = np.roll(small_run.part, 1)  # held out otherwise
    best = best_of(other, folder)
    assert np.array_equal(best.part == "test", other.part == "test")


def test_the_table_holds_every_method_and_interval(small_run):
    result = evaluate(small_run)
    table = comparison_table({"this": result, **result["baselines"]}).set_index("method")
    assert table.index.tolist() == ["this", *baselines.BASELINES]
    assert table.loc["this", "rmse"] == result["rmse"]
    low, high = result["intervals"]["rmse"]
    assert table.loc["this", "rmse 95 %"] == f"{low:.3f}–{high:.3f}"
    assert table["rmse"].isna().sum() == 2
    assert {"ndcg@10 95 %", "map@10", "mrr@10", "coverage@10"} <= set(table)


def test_rows_are_grouped_by_what_is_known_of_them(small_run):
    train, held_out = known_and_held_out(small_run)
    groups = row_groups(small_run, train, held_out)
    ratings = small_run.tables.ratings[small_run.part == "test"].reset_index(drop=True)
    users = small_run.tables.users.set_index("user_id").loc[ratings["user_id"]]
    films = small_run.tables.movies.set_index("movie_id").loc[ratings["movie_id"]]
    assert groups["gender"].tolist() == users["gender"].tolist()
    assert groups["rating"].tolist() == ratings["rating"].tolist()
    assert [sorted(g) for g in groups["genre"]] == [sorted(g.split("|")) for g in films["genres"]]
    counts = np.bincount(train.user_idx)[held_out.user_idx]
    middle = (counts > 10) & (counts <= 50)
    assert np.array_equal(groups["user_ratings"] == "11–50", middle)
    assert 0 < middle.sum() < len(middle)
