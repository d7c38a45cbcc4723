"""Baselines by hand, and by what they must find."""

from __future__ import annotations

import math

import numpy as np
import pytest

from movierec import baselines
from movierec.data.features import Features
from movierec.data.splits import split
from movierec.evaluation.metrics import rating_metrics
from movierec.runs import encode_rows
from movierec.sample.simulate import Simulation
from movierec.vectors import Rows

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
