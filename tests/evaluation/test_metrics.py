"""Metrics against cases worked out by hand and against trec_eval; intervals; top k."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from movierec.errors import InputError
from movierec.evaluation.metrics import (
    difference,
    intervals,
    list_metrics,
    list_traits,
    rating_metrics,
)
from movierec.vectors import BLOCK, Rows, pair_scores, top_k, top_lists, unit_rows


def rows(*entries: tuple[int, int, float]) -> Rows:
    """Encoded ratings of (user, movie, stars)."""
    table = np.array(entries).reshape(-1, 3)
    user_idx, movie_idx = table[:, :2].astype(np.int32).T
    return Rows(user_idx, movie_idx, table[:, 2].astype(np.float32))


def fixed(scores: list[list[float]]):
    """A scorer of given scores, a row a user."""
    table = np.array(scores, dtype=np.float32)
    return lambda users: table[users]


# --- rating error --------------------------------------------------------------------------------


def test_rating_errors_by_hand():
    errors = rating_metrics([1, 2, 3, 4], [1, 3, 1, 4])
    assert errors == pytest.approx({"mse": 1.25, "rmse": math.sqrt(1.25), "mae": 0.75})


def test_rating_errors_of_small_floats_are_summed_in_double_precision():
    rating = np.full(1_000_000, 4, dtype=np.float32)
    errors = rating_metrics(rating, rating - np.float32(0.125))
    assert errors["mse"] == 0.125**2
    assert errors["mae"] == 0.125


@pytest.mark.parametrize(
    ("rating", "predicted"), [([], []), ([1, 2, 3], [1, 2]), ([1, 2, 3], [1]), ([1], [])]
)
def test_rating_errors_of_no_or_unequal_rows_are_refused(rating, predicted):
    sizes = f"got {len(rating)} ratings and {len(predicted)} predictions; expected"
    with pytest.raises(InputError, match=sizes):
        rating_metrics(rating, predicted)


# --- lists ---------------------------------------------------------------------------------------

FILMS = np.array([False, True, True, True, True, True])  # row 0 is free


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("place", ["rating", "predicted"])
def test_numbers_that_are_not_finite_are_refused(number, place):
    values = {"rating": [1.0, 2.0], "predicted": [1.0, 2.0]}
    values[place][1] = number
    with pytest.raises(InputError, match="1 of 2 ratings or predictions are NaN or infinite"):
        rating_metrics(**values)


def test_rating_errors_of_whole_numbers_do_not_wrap():
    stars = np.array([1, 5], np.uint8), np.array([5, 1], np.uint8)
    assert rating_metrics(*stars) == {"mse": 16.0, "rmse": 4.0, "mae": 4.0}


def test_numbers_that_are_not_finite_are_counted():
    with pytest.raises(InputError, match=r"^2 of 5\b"):
        rating_metrics([1, 2, 3, np.nan, 5], [np.inf, 2, 3, 4, 5])


def test_lists_hold_the_best_films_that_were_not_seen():
    scores = fixed([[9, 5, 4, 3, 2, 1], [9, 1, 2, 3, 4, 5], [9, 1, 2, 3, 4, 5]])
    seen = rows((2, 5, 1), (0, 1, 1), (1, 4, 1), (2, 3, 1))
    users = np.array([0, 2])
    lists, best = top_lists(scores, users, FILMS, lambda u: seen.movie_idx[seen.user_idx == u], k=2)
    assert lists.tolist() == [[2, 3], [4, 2]]
    assert best.tolist() == [[4, 3], [4, 2]]


def test_lists_are_filled_up_where_fewer_films_are_left_than_k():
    lists, best = top_lists(fixed([[0, 5, 4, 3, 2, 1]]), np.array([0]), FILMS, None, k=8)
    assert lists.tolist() == [[1, 2, 3, 4, 5, -1, -1, -1]]
    assert best.tolist() == [[5, 4, 3, 2, 1, -np.inf, -np.inf, -np.inf]]


def test_lists_do_not_depend_on_the_blocks_users_are_scored_in(monkeypatch):
    rng = np.random.default_rng(1)
    scores, films, users = fixed(rng.random((50, 20))), np.ones(20, bool), np.arange(0, 50, 3)
    seen = rng.integers(0, 20, (50, 6))
    whole = top_lists(scores, users, films, lambda user: seen[user], k=5)
    monkeypatch.setattr("movierec.vectors.USERS", 3)
    parts = top_lists(scores, users, films, lambda user: seen[user], k=5)
    assert all(map(np.array_equal, whole, parts))


# --- ranking -------------------------------------------------------------------------------------


def test_ranking_by_hand():
    lists = np.array([[2, 3, 4], [5, 4, 1]])
    held_out = rows((0, 3, 5), (0, 5, 4), (0, 2, 3), (1, 5, 4), (7, 1, 1))
    found = list_metrics(lists, np.array([0, 1]), held_out)
    assert found.index.tolist() == [0, 1]
    ideal = 1 + 1 / math.log2(3)  # user 0 likes two films, one of them is shown second
    assert found["ndcg@3"].tolist() == pytest.approx([1 / math.log2(3) / ideal, 1])
    assert found["recall@3"].tolist() == pytest.approx([1 / 2, 1])
    assert found["precision@3"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert found["map@3"].tolist() == pytest.approx([1 / 2 / 2, 1])
    assert found["mrr@3"].tolist() == pytest.approx([1 / 2, 1])
    assert found["watched@3"].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_ranking_divides_by_k_where_more_are_relevant():
    held_out = rows(*((0, film, 5) for film in range(1, 6)))
    [found] = list_metrics(np.array([[1, 2]]), np.array([0]), held_out).to_numpy()
    assert found == pytest.approx(np.ones(6))


def test_ranking_counts_no_film_where_a_list_ends():
    found = list_metrics(np.array([[5, -1, -1]]), np.array([0]), rows((0, 5, 4), (0, 4, 4))).iloc[0]
    assert found["precision@3"] == pytest.approx(1 / 3)
    assert found["recall@3"] == 0.5
    assert found["mrr@3"] == 1


def test_ranking_metrics_are_those_of_trec_eval():
    rng = np.random.default_rng(0)
    k, users = 7, np.arange(40, dtype=np.int32)
    lists = rng.permuted(np.tile(np.arange(30), (40, 1)), axis=1)[:, :k]
    liked = rng.random((40, 30)) < rng.choice([0.03, 0.2, 0.5], (40, 1))  # up to twice k
    liked[users, rng.integers(0, 30, 40)] = True
    held_out = rows(*((user, film, 5) for user, film in np.argwhere(liked)))
    found = list_metrics(lists, users, held_out)

    judged = {f"{u}": {f"{f}": 1 for f in np.flatnonzero(liked[u])} for u in users}
    ranked = {f"{u}": {f"{f}": float(k - i) for i, f in enumerate(lists[u])} for u in users}
    names = {f"ndcg_cut.{k}", f"P.{k}", f"recall.{k}", f"map_cut.{k}", "recip_rank"}
    answers = pytrec_eval.RelevanceEvaluator(judged, names).evaluate(ranked)
    expected = pd.DataFrame([answers[f"{user}"] for user in users])
    relevant = liked.sum(axis=1)
    assert (relevant > k).any()
    assert (relevant <= k).any()
    # trec_eval divides by all relevant films, even where k cannot hold them
    expected[[f"recall_{k}", f"map_cut_{k}"]] *= (relevant / np.minimum(relevant, k))[:, None]
    pairs = {
        f"ndcg@{k}": f"ndcg_cut_{k}",
        f"precision@{k}": f"P_{k}",
        f"recall@{k}": f"recall_{k}",
        f"map@{k}": f"map_cut_{k}",
        f"mrr@{k}": "recip_rank",
    }
    for ours, theirs in pairs.items():
        assert found[ours].to_numpy() == pytest.approx(expected[theirs].to_numpy()), ours


# --- what lists are like -------------------------------------------------------------------------

GENRES = np.array([[0, 0], [1, 0], [1, 2], [3, 0], [0, 0], [1, 2]])
# film 1 has four raters of four, film 2 one, film 3 two, films 4 and 5 none
TRAIN = rows(*((u, 1, 3) for u in range(4)), (0, 2, 3), (0, 3, 3), (1, 3, 3))


def traits(*lists: list[int]) -> pd.DataFrame:
    return list_traits(np.array(lists), np.arange(len(lists)), TRAIN, GENRES)


def test_novelty_is_the_mean_self_information_in_bits():
    found = traits([1, 1], [2, 3], [1, -1], [4, 5])["novelty@2"]
    assert found.tolist() == [0, (2 + 1) / 2, 0, 2]  # unrated counts as rated once


def test_diversity_is_the_mean_distance_of_genres_over_pairs():
    found = traits([1, 2, 3], [2, 5, -1], [2, 4, 1], [1, -1, -1], [1, 4, 4])["diversity@3"]
    assert found.tolist()[:3] == pytest.approx([(1 / 2 + 1 + 1) / 3, 0, 1 / 2])
    assert found[3:].isna().all()  # one film is no pair, nor is one with a film without genres


def test_films_of_the_same_single_genre_are_no_distance_apart():
    genres = np.array([[0], [1], [1], [2]])
    train = Rows(np.array([1]), np.array([1]), np.array([5.0]))
    lists = np.array([[1, 2], [1, 3]])
    traits = list_traits(lists, np.array([4, 7]), train, genres)
    assert traits["diversity@2"].tolist() == [0.0, 1.0]


def test_metrics_of_lists_say_whose_they_are():
    held_out = Rows(np.array([4, 7]), np.array([1, 2]), np.array([5.0, 4.0]))
    lists, users = np.array([[1, 2], [1, 3]]), np.array([4, 7])
    for table in (
        list_metrics(lists, users, held_out),
        list_traits(lists, users, held_out, np.array([[0], [1], [1], [2]])),
    ):
        assert table.index.tolist() == [4, 7]
        assert table.index.name == "user_idx"


def test_rows_0_are_a_film_and_a_user_as_any_other():
    """A place without a film stands for none of them."""
    held_out = rows((0, 1, 5), (0, 0, 5), (3, 0, 5))
    lists, users = np.array([[2, -1], [0, -1], [1, 0]]), np.array([0, 1, 3])
    found = list_metrics(lists, users, rows((0, 1, 5), (0, 0, 5), (1, 5, 5), (3, 0, 5)))
    assert found["precision@2"].tolist() == found["watched@2"].tolist() == [0, 0, 1 / 2]
    shown = list_traits(lists, users, held_out, np.array([[1], [1], [2]]))
    # two people; film 0 has two raters, film 1 one, film 2 none and counts as if it had one
    assert shown["novelty@2"].tolist() == [1, 0, 1 / 2]
    assert shown["popularity@2"].tolist() == [0, 3 / 4, (3 / 4 + 1 / 4) / 2]
    assert shown["diversity@2"].isna().tolist() == [True, True, False]
    assert set(map(str, shown.dtypes)) == {"float64"}


def test_no_users_have_no_metrics():
    lists, users = np.zeros((0, 3), np.int64), np.zeros(0, np.int32)
    assert len(list_metrics(lists, users, rows())) == 0
    assert len(list_traits(lists, users, rows((1, 1, 5)), np.array([[0], [1]]))) == 0


def test_popularity_is_the_share_of_rated_films_with_fewer_ratings():
    found = traits([1], [2], [3], [4])["popularity@1"]
    assert found.tolist() == pytest.approx([5 / 6, 1 / 6, 3 / 6, 0])


def test_traits_do_not_depend_on_their_blocks(monkeypatch):
    lists = np.random.default_rng(0).integers(-1, 6, (20, 4))
    whole = traits(*lists.tolist())
    monkeypatch.setattr("movierec.evaluation.metrics.BLOCK_SCORES", 1)
    pd.testing.assert_frame_equal(whole, traits(*lists.tolist()))


# --- intervals and differences -------------------------------------------------------------------


def by_user(users: int, seed: int, worse: float = 1.0) -> pd.DataFrame:
    """Per-user values of a method: ratings with errors, and hits for two thirds of the users."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 20, users)
    frame = pd.DataFrame({"rows": counts, "squared_error": counts * rng.random(users) * worse})
    frame["absolute_error"] = frame["squared_error"] / 2
    frame["recall@10"] = np.where(np.arange(users) % 3 > 0, rng.random(users), np.nan)
    return frame


def test_metrics_of_all_users_weigh_rows_for_errors_and_users_for_lists():
    frame = by_user(100, 0)
    value = intervals(frame)["value"]
    assert value["mse"] == pytest.approx(frame["squared_error"].sum() / frame["rows"].sum())
    assert value["rmse"] == pytest.approx(value["mse"] ** 0.5)
    assert value["mae"] == pytest.approx(value["mse"] / 2)
    assert value["recall@10"] == pytest.approx(frame["recall@10"].mean())


def test_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch):
    """Users come from a distribution of known mean: 95 % intervals hold it 95 times of 100."""
    monkeypatch.setattr("movierec.evaluation.metrics.RESAMPLES", 200)
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        frame = pd.DataFrame({"recall@10": rng.exponential(1, 100)})
        low, high = intervals(frame, seed).loc["recall@10", ["low", "high"]]
        held += low <= 1 <= high
    assert 178 <= held <= 199  # four standard deviations about 190, a little less for skewness


def test_intervals_are_as_wide_as_they_say(monkeypatch):
    """Of a mean over many users, 1.96 standard errors to either side."""
    monkeypatch.setattr("movierec.evaluation.metrics.RESAMPLES", 20_000)
    values = np.random.default_rng(0).normal(size=4_000)
    found = intervals(pd.DataFrame({"ndcg@10": values})).loc["ndcg@10"]
    error = values.std() / np.sqrt(len(values))
    expected = [values.mean() - 1.96 * error, values.mean() + 1.96 * error]
    assert [found["low"], found["high"]] == pytest.approx(expected, abs=0.05 * error)


def test_intervals_name_metrics_alone_in_their_order():
    errors = {"rows": [1, 2], "squared_error": [1.0, 4.0], "absolute_error": [1.0, 2.0]}
    found = intervals(pd.DataFrame(errors | {"recall@10": [0.0, 1.0], "map@10": [0.0, 1.0]}))
    assert found.index.tolist() == ["mse", "rmse", "mae", "recall@10", "map@10"]


def test_draws_without_a_user_who_has_a_metric_say_nothing_of_it():
    found = intervals(pd.DataFrame({"ndcg@10": [0.25, np.nan, np.nan], "map@10": [0.5, 0, 1]}))
    assert found.loc["ndcg@10"].tolist() == [0.25, 0.25, 0.25]


def test_intervals_are_repeatable_and_change_with_the_seed():
    first, again, other = (intervals(by_user(50, 0), seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first["low"] != other["low"]).all()


def test_paired_difference_is_surer_than_two_intervals():
    """A method a little worse for every user: the intervals overlap, the difference is clear."""
    good, bad = by_user(200, 0), by_user(200, 0, worse=1.03)
    found = difference(bad, good).loc["mse"]
    one, two = intervals(good).loc["mse"], intervals(bad).loc["mse"]
    assert found["difference"] == pytest.approx(two["value"] - one["value"])
    assert 0 < found["low"] < found["difference"] < found["high"]
    assert found["p"] < 0.01
    assert one["high"] > two["low"]


def test_paired_difference_agrees_with_a_plain_second_reckoning(monkeypatch):
    monkeypatch.setattr("movierec.evaluation.metrics.RESAMPLES", 199)
    rng = np.random.default_rng(2)
    one, two = rng.random((2, 25))
    frames = (pd.DataFrame({"recall@10": values}) for values in (one, two))
    found = difference(*frames).loc["recall@10"]
    draw = np.random.default_rng(0)  # the seed where none is given
    means = sorted(float((one - two)[draw.integers(0, 25, 25)].mean()) for _ in range(199))
    side = min(sum(mean <= 0 for mean in means), sum(mean >= 0 for mean in means))
    assert 0 < side < 99
    assert found["p"] == pytest.approx(2 * (side + 1) / 200)
    assert found["low"] == pytest.approx(np.quantile(means, 0.025))
    assert found["high"] == pytest.approx(np.quantile(means, 0.975))


def test_p_value_is_never_below_what_so_many_draws_can_tell(monkeypatch):
    monkeypatch.setattr("movierec.evaluation.metrics.RESAMPLES", 99)
    better, worse = (pd.DataFrame({"recall@10": [value] * 3}) for value in (0.9, 0.1))
    assert difference(better, worse)["p"].tolist() == [0.02]


def test_paired_difference_of_equals_is_no_difference():
    found = difference(by_user(80, 3), by_user(80, 3))
    assert (found[["difference", "low", "high"]] == 0).all(axis=None)
    assert (found["p"] == 1).all()


def test_paired_difference_takes_what_both_methods_have():
    found = difference(by_user(30, 0)[["recall@10"]], by_user(30, 1))
    assert found.index.tolist() == ["recall@10"]


def test_paired_difference_of_other_users_is_refused():
    with pytest.raises(InputError, match="different users"):
        difference(by_user(30, 0), by_user(31, 0))


# --- top k ---------------------------------------------------------------------------------------


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 40)),
        elements=st.sampled_from([-np.inf, -1, 0, 1, 2]),  # few values, so many ties
    ),
    st.integers(1, 45),
)
@settings(max_examples=200, deadline=None)
def test_top_k_is_a_stable_sort_cut_off(scores, k):
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    finite = np.isfinite(np.take_along_axis(scores, expected, axis=1))
    assert np.array_equal(top_k(scores, k), np.where(finite, expected, -1))


def test_top_k_takes_ties_by_position_in_long_rows():
    scores = np.zeros((2, 3000), dtype=np.float32)
    scores[0, 5] = 1
    assert top_k(scores, 3).tolist() == [[5, 0, 1], [0, 1, 2]]


@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("levels", [3, 50, 10_000])
def test_top_k_of_long_rows_is_a_stable_sort_however_many_are_equal(levels, k):
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, (60, 1013)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    scores[:20, 30:] = -np.inf  # fewer than k are left in some rows
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    finite = np.isfinite(np.take_along_axis(scores, expected, axis=1))
    assert np.array_equal(top_k(scores, k), np.where(finite, expected, -1))


def test_top_k_leaves_out_what_is_no_number():
    rows = np.tile(np.linspace(1, 0, 500, dtype=np.float32), (50, 1))
    rows[:, [0, 2]] = np.nan
    assert top_k(rows, 3).tolist() == [[1, 3, 4]] * 50
    assert top_k(rows[:1], 3).tolist() == [[1, 3, 4]]
    assert top_k(rows[:0], 3).shape == (0, 3)
    assert top_k(np.array([[1, np.nan, 3, -np.inf]], dtype=np.float32), 4).tolist() == [
        [2, 0, -1, -1]
    ]


def test_pair_scores_are_the_same_in_blocks():
    rng = np.random.default_rng(0)
    users, movies = rng.random((5, 3), np.float32), rng.random((7, 3), np.float32)
    user_idx = rng.integers(0, 5, BLOCK + 10).astype(np.int32)
    movie_idx = rng.integers(0, 7, BLOCK + 10).astype(np.int32)
    expected = (users[user_idx] * movies[movie_idx]).sum(axis=1)
    assert pair_scores(users, movies, user_idx, movie_idx) == pytest.approx(expected, rel=1e-5)


def test_unit_rows_keep_a_row_of_zeros():
    rows = unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert rows == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
