"""A whole evaluation beside a second one in plain loops, on a run whose vectors are drawn."""

from __future__ import annotations

import math
import shutil
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from worlds import write_drawn_run

from movierec import baselines
from movierec.errors import InputError
from movierec.evaluation.evaluate import (
    BY_STARS,
    Baseline,
    Measured,
    compare,
    comparison_table,
    evaluate,
    known_and_held_out,
    measure,
    measure_methods,
)
from movierec.evaluation.metrics import K, certainty_metrics, difference, intervals
from movierec.recommend.scorer import EVEN, LIKING, STEEPNESS
from movierec.runs import PARTS, Run

LENGTH = 4  # of the lists
DRAWS = 20  # of users, for each interval: what they are is tested elsewhere


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("movierec.evaluation.metrics.RESAMPLES", DRAWS)


def without_baselines(runs: list[Run], part: str = "test", k: int = K) -> dict[str, Measured]:
    return measure(runs, part, k, baselines={})[0]


# --- a second implementation ---------------------------------------------------------------------
# rows as `write_drawn_run` makes them: a film's id is its row, people are numbered from 1


def triples(run: Run, *parts: str) -> list[tuple[int, int, float]]:
    ratings = run.tables.ratings[np.isin(run.part, parts)]
    return [
        (int(user) // 3, int(movie), float(stars))
        for user, movie, stars in ratings[["user_id", "movie_id", "rating"]].itertuples(index=False)
    ]


def stars(run: Run, user: int, film: int) -> float:
    model = run.recommender.model
    return float(model.users[user] @ model.films[film])


def score(run: Run, user: int, film: int, liking: float = LIKING) -> float:
    watching = run.recommender.model.watching
    watch = float(watching.profiles[user] @ watching.watched[film])
    like = 1 / (1 + math.exp(-STEEPNESS * (stars(run, user, film) - EVEN)))
    return max(watch, 1e-6) ** (1 - liking) * like**liking


def films_of(run: Run) -> list[int]:
    return run.tables.movies["movie_id"].tolist()


def expected_list(
    run: Run, user: int, known: list[tuple[int, int, float]], k: int, liking: float = LIKING
) -> list[int]:
    seen = {film for someone, film, _ in known if someone == user}
    left = [film for film in films_of(run) if film not in seen]
    best = sorted(left, key=lambda film: -score(run, user, film, liking))[:k]
    return best + [-1] * (k - len(best))


def expected_ranking(
    run: Run, user: int, films: list[int], known: list, held_out: list
) -> dict[str, float]:
    k = len(films)
    liked = {film for someone, film, stars in held_out if someone == user and stars >= 4}
    rated = {film for someone, film, _ in held_out if someone == user}
    hits = [film in liked for film in films]
    ranks = [rank for rank, hit in enumerate(hits, 1) if hit]
    ideal = min(k, len(liked))
    films = [film for film in films if film >= 0]
    people = len({someone for someone, _, _ in known})
    raters = {f: sum(film == f for _, film, _ in known) for f in films_of(run)}
    counts = [count for count in raters.values() if count]
    genres = run.tables.movies.set_index("movie_id")["genres"].replace("(no genres listed)", "")
    sets = [set(genres[film].split("|")) - {""} for film in films]
    distances = [1 - len(a & b) / len(a | b) for a, b in combinations([s for s in sets if s], 2)]
    fewer = [
        np.mean([(count < raters[film]) + 0.5 * (count == raters[film]) for count in counts])
        for film in films
    ]
    return {
        f"ndcg@{k}": sum(1 / math.log2(rank + 1) for rank in ranks)
        / sum(1 / math.log2(rank + 1) for rank in range(1, ideal + 1)),
        f"recall@{k}": len(ranks) / ideal,
        f"precision@{k}": len(ranks) / k,
        f"map@{k}": sum(n / rank for n, rank in enumerate(ranks, 1)) / ideal,
        f"mrr@{k}": 1 / ranks[0] if ranks else 0.0,
        f"watched@{k}": sum(film in rated for film in films) / k,
        f"novelty@{k}": float(np.mean([math.log2(people / max(raters[f], 1)) for f in films])),
        f"diversity@{k}": float(np.mean(distances)) if distances else math.nan,
        f"popularity@{k}": float(np.mean(fewer)),
    }


def mean(values: list[float]) -> float:
    return float(np.mean([value for value in values if not math.isnan(value)]))


# --- what is measured ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "known"), [("test", ("train", "validation")), ("validation", ("train",))]
)
def test_errors_and_lists_are_those_of_plain_loops(drawn_run, part, known):
    run = drawn_run
    measured = without_baselines([run], part, LENGTH)
    found = measured["best"]
    before, held_out = triples(run, *known), triples(run, part)

    guesses = [min(max(stars(run, user, film), 1), 5) for user, film, _ in held_out]
    np.testing.assert_allclose(found.predicted, guesses, rtol=1e-5)
    assert 0 < sum(guess in (1, 5) for guess in guesses) < len(guesses)
    by_user = found.by_user
    assert by_user.index.tolist() == sorted({user for user, _, _ in held_out})
    assert by_user.index.name == "user_idx"
    for user, row in by_user.iterrows():
        errors = [
            guess - given
            for (someone, _, given), guess in zip(held_out, guesses, strict=True)
            if someone == user
        ]
        assert row["rows"] == len(errors)
        assert row["squared_error"] == pytest.approx(sum(e**2 for e in errors), rel=1e-5, abs=1e-7)
        assert row["absolute_error"] == pytest.approx(sum(map(abs, errors)), rel=1e-5)

    likers = sorted({user for user, _, given in held_out if given >= 4})
    assert 0 < len(likers) < len(by_user)
    assert found.users.tolist() == likers
    assert found.films == len(films_of(run))
    if part == "validation":  # what is watched was learned from these rows
        assert list(measured) == ["best"]
        assert found.lists is None
        assert set(by_user) == {"rows", "squared_error", "absolute_error"}
        return
    alone = measured["best" + BY_STARS]
    assert list(measured) == ["best", "best" + BY_STARS]
    assert alone.predicted is None
    for user, films in zip(likers, alone.lists.tolist(), strict=True):
        assert films == expected_list(run, user, before, LENGTH, liking=1.0)
    assert not np.array_equal(alone.lists, found.lists)
    for user, films in zip(likers, found.lists.tolist(), strict=True):
        assert films == expected_list(run, user, before, LENGTH)
        expected = expected_ranking(run, user, films, before, held_out)
        assert by_user.loc[user, list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)
    others = by_user.index.difference(likers)
    assert (
        by_user.loc[others]
        .drop(columns=["rows", "squared_error", "absolute_error"])
        .isna()
        .all(axis=None)
    )


def test_summary_is_the_mean_of_all_rows_and_of_all_lists(drawn_run):
    found = without_baselines([drawn_run], "test", LENGTH)["best"]
    summary = found.summary()
    held_out, before = triples(drawn_run, "test"), triples(drawn_run, "train", "validation")
    errors = [min(max(stars(drawn_run, u, f), 1), 5) - given for u, f, given in held_out]
    assert summary["mse"] == pytest.approx(np.mean(np.square(errors)), rel=1e-5)
    assert summary["rmse"] == pytest.approx(np.mean(np.square(errors)) ** 0.5, rel=1e-5)
    assert summary["mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)
    lists = {int(u): expected_list(drawn_run, int(u), before, LENGTH) for u in found.users}
    each = [expected_ranking(drawn_run, u, films, before, held_out) for u, films in lists.items()]
    expected = {name: mean([ranking[name] for ranking in each]) for name in each[0]}
    different = {film for films in lists.values() for film in films}
    expected |= {f"shown@{LENGTH}": len(different), f"coverage@{LENGTH}": len(different) / 24}
    assert summary["ranking"] == pytest.approx(expected | {"users": len(lists)})
    assert set(summary) == {"mse", "rmse", "mae", "ranking", "intervals"}


def test_intervals_are_those_of_the_seed(drawn_run):
    found = without_baselines([drawn_run], "test", LENGTH)["best"]
    for seed in (0, 3):
        expected = intervals(found.by_user, seed)
        limits = found.summary(seed)["intervals"]
        assert list(limits) == expected.index.tolist()
        for name, (low, high) in limits.items():
            assert (low, high) == (expected.loc[name, "low"], expected.loc[name, "high"])
    assert found.summary() == found.summary(0) != found.summary(3)
    assert evaluate(drawn_run, k=LENGTH, seed=3)["intervals"] == found.summary(3)["intervals"]
    assert evaluate(drawn_run, k=LENGTH)["intervals"] == found.summary(0)["intervals"]


def test_places_without_a_film_are_neither_shown_nor_covered():
    by_user = pd.DataFrame({"rows": [1], "squared_error": [4.0], "absolute_error": [2.0]})
    lists = np.array([[4, -1, -1], [4, 0, -1]])
    found = Measured(np.array([3.0]), np.array([1, 2], np.int32), lists, by_user, films=8)
    ranking = found.summary()["ranking"]
    assert ranking == {"shown@3": 2, "coverage@3": 0.25, "users": 2}


def test_learned_rows_are_compared_with_themselves_and_get_no_lists(drawn_run):
    known, held_out = known_and_held_out(drawn_run, "train")
    assert all(map(np.array_equal, known, held_out))
    assert len(held_out.rating) == len(triples(drawn_run, "train"))
    measured, left_out = measure([drawn_run], "train", LENGTH)
    assert left_out == {}
    assert all(found.lists is None for found in measured.values())
    assert all(found.predicted is not None for found in measured.values())
    assert set(baselines.BASELINES) - set(measured) == {"most often liked", "EASE"}
    assert "ranking" not in measured["best"].summary()


def test_baselines_learn_from_the_rows_before_the_held_out_ones(drawn_run):
    for part in ("test", "validation"):
        known, held_out = known_and_held_out(drawn_run, part)
        measured, _ = measure([drawn_run], part, LENGTH)
        lists = {"best" + BY_STARS, "most often liked", "EASE"}
        every = ["best", "best" + BY_STARS, *baselines.BASELINES]
        assert list(measured) == [n for n in every if part == "test" or n not in lists]
        for name in {"user mean", "factor model", "EASE"} & set(measured):
            fitted = baselines.BASELINES[name](known, 31, 49)
            [again] = measure_methods(drawn_run, {name: fitted}, part, LENGTH).values()
            pd.testing.assert_frame_equal(measured[name].by_user, again.by_user)
        guess = float(np.mean(known.rating, dtype=np.float64))
        assert measured["global mean"].predicted == pytest.approx(
            np.full(len(held_out.rating), guess)
        )


def test_usual_length_of_a_list_and_usual_part(drawn_run):
    scorer = drawn_run.recommender.scorer
    assert measure([drawn_run])[0]["best"].lists.shape[1] == K
    assert without_baselines([drawn_run])["best"].lists.shape[1] == K
    method = {"same": Baseline(scorer.stars, scorer.scores)}
    usual = measure_methods(drawn_run, method)["same"]
    asked = without_baselines([drawn_run], "test", K)["best"]
    pd.testing.assert_frame_equal(usual.by_user, asked.by_user)
    pd.testing.assert_frame_equal(without_baselines([drawn_run])["best"].by_user, asked.by_user)
    assert evaluate(drawn_run) == evaluate(drawn_run, "test", K, 0)


def test_methods_show_what_they_have(drawn_run):
    """Stars alone, an order alone, and nothing at all."""
    scorer = drawn_run.recommender.scorer
    methods = {"stars": Baseline(scorer.stars), "order": Baseline(scores=scorer.scores)}
    found = measure_methods(drawn_run, methods, "test", LENGTH)
    assert found["stars"].lists is None
    assert found["order"].predicted is None
    assert "rmse" not in found["order"].summary()
    assert found["order"].by_user["rows"].sum() == len(triples(drawn_run, "test"))
    assert list(measure_methods(drawn_run, methods, "train", LENGTH)) == ["stars"]


def test_predictions_are_brought_within_the_stars_of_the_data(drawn_run):
    far = Baseline(lambda user_idx, movie_idx: np.where(user_idx % 2, 9.0, -3.0))
    found = measure_methods(drawn_run, {"far": far}, "test", LENGTH)["far"]
    expected = [5.0 if user % 2 else 1.0 for user, _, _ in triples(drawn_run, "test")]
    assert found.predicted.tolist() == expected


def test_film_with_id_0_is_a_film(tmp_path, monkeypatch):
    """Ids begin where the data begins them."""
    run = write_drawn_run(tmp_path / "run", ids_from=0)
    assert run.tables.movies["movie_id"].min() == run.tables.users["user_id"].min() == 0
    rows = run.features.movies.ids
    assert rows[1] == 0
    first = Baseline(
        scores=lambda users: -np.tile(np.arange(len(rows), dtype=np.float32), (len(users), 1))
    )
    found = measure_methods(run, {"first": first}, "test", 24)["first"]
    assert found.films == 24
    known = {user for user, film in zip(*known_and_held_out(run)[0][:2], strict=True) if film == 1}
    for user, films in zip(found.users.tolist(), found.lists.tolist(), strict=True):
        assert (films[0] == 1) == (user not in known)
    assert not known.issuperset(found.users.tolist())
    monkeypatch.setattr("movierec.baselines.EASE_FILMS", 23)
    assert "this catalogue has 25" in measure([run], k=LENGTH)[1]["EASE"]


def test_where_nobody_likes_what_is_held_out_there_are_no_lists(drawn_run, tmp_path):
    run = Run(drawn_run.path, drawn_run.info)
    low = run.tables.ratings["rating"] < 4
    marked = np.where(low & (drawn_run.part == "test"), "test", "train")
    run.__dict__["part"] = pd.Categorical(marked, PARTS)
    measured, _ = measure([run], "test", LENGTH)
    assert measured["best"].lists is None
    assert measured["best"].users.tolist() == []
    assert "EASE" not in measured
    # one liked row makes one list
    first = int(np.flatnonzero(run.tables.ratings["rating"] == 4)[0])
    run.__dict__["part"][first] = "test"
    measured, _ = measure([run], "test", LENGTH)
    assert measured["best"].lists.shape == (1, LENGTH)
    assert "EASE" in measured


def test_ease_is_left_out_of_more_films_than_it_can_hold(drawn_run, monkeypatch):
    monkeypatch.setattr("movierec.baselines.EASE_FILMS", 49)
    assert "EASE" in measure([drawn_run], k=LENGTH)[0]
    monkeypatch.setattr("movierec.baselines.EASE_FILMS", 48)
    measured, left_out = measure([drawn_run], k=LENGTH)
    assert set(baselines.BASELINES) - set(measured) == {"EASE"}
    assert list(left_out) == ["EASE"]
    assert "up to 48 rows; this catalogue has 49" in left_out["EASE"]
    assert evaluate(drawn_run, k=LENGTH)["left_out"] == left_out


# --- runs beside each other ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def other_run(tmp_path_factory) -> Run:
    """The same data and the same held-out rows, with other vectors."""
    return write_drawn_run(tmp_path_factory.mktemp("runs") / "other", "fast", seed=1)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_evaluation_says_all_of_a_run(drawn_run, part):
    result = evaluate(drawn_run, part, LENGTH)
    measured, _ = measure([drawn_run], part, LENGTH)
    assert result.pop("baselines") == {
        name: measured[name].summary() for name in baselines.BASELINES if name in measured
    }
    if part == "test":
        assert result.pop("by_stars") == measured["best" + BY_STARS].summary()
    rows, rec = drawn_run.rows(part), drawn_run.recommender
    ids = rec.features.users.decode(rows.user_idx), rec.features.movies.decode(rows.movie_idx)
    told = rec.predict(*ids, return_std=True)
    expected = certainty_metrics(rows.rating, *told, rec.scorer.chance(*told))
    assert result.pop("certainty") == pytest.approx(expected)
    assert result == measured["best"].summary() | {
        "rows_trained": len(triples(drawn_run, "train")),
        "rows_tested": len(triples(drawn_run, part)),
        "prepare_seconds": 1.0,
        "compile_seconds": 2.0,
        "finish_seconds": 4.0,
        "seconds": 3.0,
        "left_out": {},
    }


def test_evaluation_of_a_trained_run_agrees_with_what_its_training_measured(small_own):
    result = evaluate(small_own, k=5)
    assert small_own.metrics["test"] == pytest.approx(
        {name: result[name] for name in ("mse", "rmse", "mae")}
    )
    found = result["baselines"]
    assert found["biases"]["mse"] < found["movie mean"]["mse"] < found["global mean"]["mse"]
    assert result["by_stars"]["ranking"]["ndcg@5"] < result["ranking"]["ndcg@5"]
    for summary in (result, result["by_stars"], *found.values()):
        values = summary | summary.get("ranking", {})
        assert set(summary.get("ranking", result["ranking"])) == set(result["ranking"])
        assert {"rmse", "mae"} & set(values) or {"ndcg@5", "recall@5"} <= set(values)
        for name, (low, high) in summary["intervals"].items():
            assert low <= values[name] <= high, name


def test_lists_of_one_film_have_no_diversity_and_say_so_by_leaving_it_out(drawn_run):
    ranking = evaluate(drawn_run, k=1)["ranking"]
    assert "diversity@1" not in ranking
    assert ranking["precision@1"] == pytest.approx(ranking["mrr@1"])


def test_runs_are_compared_with_the_first(drawn_run, other_run):
    runs = [drawn_run, other_run]
    result = compare(runs, "test", LENGTH, seed=2)
    assert set(result) == {"runs", "baselines", "left_out"}
    assert list(result["baselines"]) == list(baselines.BASELINES)
    first, second = result["runs"]
    assert [run["method"] for run in result["runs"]] == ["best", "fast"]
    assert [run["run"] for run in result["runs"]] == [str(run.path) for run in runs]
    assert "difference" not in first
    measured = without_baselines(runs, "test", LENGTH)
    for run in (first, second):
        assert run["by_stars"] == measured[run["method"] + BY_STARS].summary(2)
    pair = measured["fast"].by_user, measured["best"].by_user
    expected = difference(*pair, seed=2).dropna().to_dict("index")
    assert second["difference"] == expected
    for metric in ("mse", "mae"):
        assert expected[metric]["difference"] == pytest.approx(second[metric] - first[metric])
    usual = compare(runs)["runs"][1]
    assert usual["difference"] == compare(runs, "test", K, 0)["runs"][1]["difference"]
    assert f"ndcg@{K}" in usual["difference"]


@pytest.mark.parametrize("function", [measure, compare])
@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_length_of_a_list_is_a_whole_number_above_0(drawn_run, function, k):
    with pytest.raises(InputError, match=f"got k = {k}; expected a whole number of films, 1"):
        function([drawn_run], "test", k)


def test_run_without_held_out_rows_says_what_to_do(drawn_run):
    run = Run(drawn_run.path, drawn_run.info)
    run.__dict__["part"] = pd.Categorical(["train"] * len(drawn_run.part), PARTS)
    for part in ("test", "validation"):
        with pytest.raises(InputError, match=f"has no {part} rows.*--holdout random"):
            known_and_held_out(run, part)
        with pytest.raises(InputError, match=f"has no {part} rows"):
            compare([run], part)
    assert len(known_and_held_out(run, "train")[0].rating) == len(run.part)


@pytest.mark.parametrize("changed", ["part", "movies", "users"])
def test_only_runs_of_the_same_data_and_rows_are_compared(drawn_run, tmp_path, changed):
    shutil.copytree(drawn_run.path, tmp_path / "other")
    other = Run(tmp_path / "other", drawn_run.info)
    assert (
        len(without_baselines([drawn_run, other], "test", LENGTH)) == 2 * 2
    )  # by stars alone, too
    if changed == "part":
        # another row of the same user and film count, so that only the order tells them apart
        other.__dict__["part"] = pd.Categorical(np.roll(drawn_run.part, 1), PARTS)
    else:
        vocabulary = getattr(other.features, changed)
        ids = np.where(vocabulary.ids >= 0, vocabulary.ids + 1, -1)
        vocabulary.__dict__["ids"] = ids
        other.__dict__["tables"] = other.tables
        other.tables.ratings[f"{changed[:-1]}_id"] += 1
    for runs in ([drawn_run, other], [drawn_run, drawn_run, other]):
        with pytest.raises(InputError, match=r"different data or different test rows.*holdout"):
            compare(runs, "test", LENGTH)


def test_runs_that_differ_in_the_asked_part_alone_are_not_compared(drawn_run):
    """Rows moved between train and validation: the test may be compared, the validation not."""
    other = Run(drawn_run.path, drawn_run.info)
    moved = drawn_run.part.copy()
    moved[np.flatnonzero(moved == "train")[:5]] = "validation"
    other.__dict__["part"] = moved
    assert len(compare([drawn_run, other], "test", LENGTH)["runs"]) == 2
    with pytest.raises(InputError, match="different validation rows"):
        compare([drawn_run, other], "validation", LENGTH)
    twin = Run(drawn_run.path, drawn_run.info)
    assert len(compare([drawn_run, twin], "validation", LENGTH)["runs"]) == 2


def test_runs_go_by_what_tells_them_apart(drawn_run, other_run, tmp_path):
    def named(*runs: Run) -> list[str]:
        measured = without_baselines(runs, "test", LENGTH)
        return [name for name in measured if not name.endswith(BY_STARS)]

    places = [tmp_path / place for place in ("a/x", "a/y", "b/x")]
    copies = []
    for place in places:
        shutil.copytree(drawn_run.path, place)
        copies.append(Run(place, drawn_run.info))
    assert named(drawn_run, other_run) == ["best", "fast"]
    assert named(copies[0], copies[1]) == ["x", "y"]
    assert named(copies[0], copies[2]) == [str(places[0]), str(places[2])]
    assert named(*copies) == [str(place) for place in places]
    assert named(copies[0], copies[0]) == [f"{places[0]} (1)", f"{places[0]} (2)"]


# --- tables --------------------------------------------------------------------------------------


def test_table_has_a_row_a_method_and_intervals_of_two_metrics():
    first = {
        "rmse": 0.9, "mae": 0.7, "left_out": {}, "ranking": {"ndcg@4": 0.25, "users": 3},
        "intervals": {"rmse": [0.8, 1.0], "mae": [0.6, 0.8], "ndcg@4": [0.2, 0.30049]},
    }  # fmt: skip
    second = {"ranking": {"ndcg@4": 0.5}, "intervals": {"ndcg@4": [0.4, 0.6]}}
    table = comparison_table({"this": first, "other": second, "no lists": {"mae": 0.75}})
    assert table.columns.tolist() == [
        "method", "rmse", "rmse 95 %", "mae", "ndcg@4", "ndcg@4 95 %", "users",
    ]  # fmt: skip
    assert table["method"].tolist() == ["this", "other", "no lists"]
    assert table["rmse"].tolist() == pytest.approx([0.9, math.nan, math.nan], nan_ok=True)
    assert table["rmse 95 %"][0] == "0.800–1.000"
    assert table["ndcg@4 95 %"].tolist()[:2] == ["0.200–0.300", "0.400–0.600"]
    assert table["ndcg@4"].tolist()[:2] == [0.25, 0.5]
    assert table["mae"].tolist()[::2] == [0.7, 0.75]
