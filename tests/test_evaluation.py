"""Metrics against cases worked out by hand and against scikit-learn; baselines; top k."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import ndcg_score

from movierec import baselines
from movierec.errors import InputError
from movierec.evaluation import evaluate, ranking_metrics, rating_metrics
from movierec.vectors import BLOCK, pair_scores, top_k, unit_rows


def pairs(*entries: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """User rows and movie rows of (user, movie) pairs."""
    table = np.array(entries, dtype=np.int32).reshape(-1, 2)
    return table[:, 0], table[:, 1]


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


# --- ranking -------------------------------------------------------------------------------------

FILMS = np.array([False, True, True, True, True, True])  # row 0 is free


def test_ranking_by_hand():
    scores = [[9, 5, 4, 3, 2, 1], [9, 1, 2, 3, 4, 5]]
    found = ranking_metrics(
        fixed(scores),
        FILMS,
        seen=pairs((0, 1)),  # user 0 has seen the film that scores highest
        relevant=pairs((0, 3), (0, 5), (1, 5)),
        k=2,
    )
    # user 0 is shown 2 and 3, of which 3 is liked; user 1 is shown 5 and 4, of which 5 is
    ideal = 1 + 1 / math.log2(3)
    assert found["ndcg@2"] == pytest.approx((1 / math.log2(3) / ideal + 1) / 2)
    assert found["recall@2"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["shown@2"] == 4
    assert found["users"] == 2


def test_ranking_divides_recall_by_k_where_more_are_relevant():
    relevant = pairs(*((0, film) for film in range(1, 6)))
    found = ranking_metrics(fixed([[0, 5, 4, 3, 2, 1]]), FILMS, pairs(), relevant, k=2)
    assert found["recall@2"] == 1
    assert found["ndcg@2"] == pytest.approx(1)


def test_ranking_leaves_out_users_without_a_relevant_film():
    scores = [[0, 5, 4, 3, 2, 1]] * 3
    found = ranking_metrics(fixed(scores), FILMS, pairs((0, 2), (1, 2)), pairs((2, 1)), k=1)
    assert found == {"ndcg@1": 1.0, "recall@1": 1.0, "shown@1": 1, "users": 1}


def test_ranking_of_a_user_with_fewer_films_left_than_k():
    seen = pairs((0, 1), (0, 2), (0, 3), (0, 4))
    found = ranking_metrics(fixed([[0, 5, 4, 3, 2, 1]]), FILMS, seen, pairs((0, 5)), k=10)
    assert found["ndcg@10"] == pytest.approx(1)
    assert found["shown@10"] == 1


def test_ndcg_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(60, dtype=np.float32), (30, 1)), axis=1)
    liked = rng.random((30, 60)) < 0.1
    liked[np.arange(30), rng.integers(0, 60, 30)] = True
    relevant = tuple(axis.astype(np.int32) for axis in np.nonzero(liked))
    found = ranking_metrics(fixed(scores.tolist()), np.ones(60, bool), pairs(), relevant, k=10)
    assert found["ndcg@10"] == pytest.approx(ndcg_score(liked, scores, k=10))
    assert found["users"] == 30


def test_ranking_does_not_depend_on_the_blocks_users_are_scored_in(monkeypatch):
    rng = np.random.default_rng(1)
    scores = rng.random((50, 20)).tolist()
    relevant = pairs(*((user, int(rng.integers(1, 20))) for user in range(50)))
    whole = ranking_metrics(fixed(scores), np.ones(20, bool), pairs((3, 4)), relevant, k=5)
    monkeypatch.setattr("movierec.evaluation.BLOCK", 7)
    assert whole == ranking_metrics(fixed(scores), np.ones(20, bool), pairs((3, 4)), relevant, k=5)


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


def test_top_k_leaves_out_what_is_no_number():
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


# --- baselines -----------------------------------------------------------------------------------

RATED = (
    np.array([1, 1, 2], dtype=np.int32),
    np.array([1, 2, 1], dtype=np.int32),
    np.array([5, 3, 1], dtype=np.float32),
)


def predicted(name: str, user: int, movie: int) -> float:
    predictor = baselines.RATING_BASELINES[name](*RATED)
    return float(predictor(np.array([user]), np.array([movie]))[0])


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
    ],
)
def test_baselines_by_hand(name, user, movie, expected):
    assert predicted(name, user, movie) == pytest.approx(expected)


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
    found = baselines.biases(user_idx, movie_idx, rating)(user_idx, movie_idx)
    assert found == pytest.approx(expected, abs=1e-4)


def test_popularity_counts_likes_only():
    movie_idx = np.array([1, 1, 1, 3], dtype=np.int32)
    rating = np.array([5, 4, 3.5, 4.5], dtype=np.float32)
    assert baselines.popularity(movie_idx, rating, 5).tolist() == [0, 2, 0, 1, 0]


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
    rows = small_run.rows("train", "validation")
    test = small_run.rows("test")
    mean = rows.rating.mean(dtype=np.float64)
    assert found["global mean"]["mse"] == pytest.approx(float(np.mean((test.rating - mean) ** 2)))
    assert found["biases"]["mse"] < found["movie mean"]["mse"] < found["global mean"]["mse"]
    assert set(found["most often liked"]) == {"ranking"}
