"""How sure predictions are: against the known noise of simulated ratings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from movierec.errors import InputError
from movierec.evaluation.evaluate import evaluate
from movierec.evaluation.metrics import certainty_metrics
from movierec.models import certainty
from movierec.models.certainty import _curve, _fitted, _logistic, _own, learn_certainty
from movierec.models.newcomers import SIZES, Newcomers
from movierec.vectors import Rows


def test_variances_by_person_film_and_stars_are_found():
    rng = np.random.default_rng(0)
    users, movies, n = 40, 30, 60_000
    user, film = rng.integers(0, users, n), rng.integers(0, movies, n)
    by_user, by_film = rng.normal(0, 0.5, users), rng.normal(0, 0.3, movies)
    stars = rng.uniform(1, 5, n).astype(np.float32)
    std = np.exp(0.5 * (by_user[user] + by_film[film] - 0.3 * (stars - 3) ** 2))
    error = (std * rng.normal(size=n)).astype(np.float32)
    rows = Rows(user.astype(np.int32), film.astype(np.int32), error)
    found = _fitted(stars, rows, users, movies)
    told = found.std(stars, found.users[user], found.films[film])
    assert np.abs(np.log(told / std)).mean() < 0.06
    assert np.corrcoef(found.users, by_user)[0, 1] > 0.95
    assert np.mean(told**2) == pytest.approx(np.mean(error**2), rel=1e-4)
    assert found.usual[0] == pytest.approx(np.mean(error**2), rel=1e-4)
    expected = (stars + std * rng.normal(size=n) >= 4).astype(float)
    chance = found.liked(stars, told)
    for low in np.arange(0.0, 1.0, 0.2):
        part = (chance >= low) & (chance < low + 0.2)
        assert chance[part].mean() == pytest.approx(expected[part].mean(), abs=0.06)


def test_variance_of_films_is_told_from_that_of_the_stars_that_they_get():
    """The better a film, the more its ratings differ; and how large errors are does not count."""
    rng = np.random.default_rng(0)
    users, movies, n = 40, 30, 30_000
    user, film = rng.integers(0, users, n), rng.integers(0, movies, n)
    by_user, by_film = rng.normal(0, 0.5, users), np.linspace(-1, 1, movies)
    stars = (3 + by_film[film] + rng.uniform(-1, 1, n)).astype(np.float32)
    error = (np.exp(0.5 * (by_user[user] + by_film[film])) * rng.normal(size=n)).astype(np.float32)
    rows = Rows(user.astype(np.int32), film.astype(np.int32), error)
    found = _fitted(stars, rows, users, movies)
    level = by_film - by_film.mean()
    assert np.abs(found.films - found.films.mean() - level).mean() < 0.15
    assert np.ptp(found.by_stars) < 0.5
    small = _fitted(stars, rows._replace(rating=0.1 * error), users, movies)
    np.testing.assert_allclose(small.users, found.users, atol=1e-3)


def test_curve_is_of_means_around_each_knot_drawn_to_the_mean_of_all():
    rng = np.random.default_rng(1)
    value, square = rng.uniform(-1, 6, 200), rng.exponential(size=200)
    knots = np.array([0.0, 1.0, 3.0, 4.0])
    place = np.interp(value, knots, [0, 1, 2, 3])
    near = np.maximum(1 - np.abs(place - np.arange(4)[:, None]), 0)
    expected = np.log((near @ square + 15 * square.mean()) / (near.sum(axis=1) + 15))
    np.testing.assert_allclose(_curve(value, square, knots), expected)
    alone = np.log((square.sum() + 15 * square.mean()) / 215)
    np.testing.assert_allclose(_curve(value, square, knots[:1]), [alone])


def test_own_term_is_a_mean_drawn_to_that_of_those_with_as_many_ratings():
    rng = np.random.default_rng(2)
    rows = rng.permutation(np.repeat(np.arange(30), np.arange(1, 31)))
    ratio = rng.exponential(size=len(rows)) * (1 + rows / 10)
    found = _own(rows.astype(np.int32), ratio, 31)
    count, logs = np.bincount(rows, minlength=31), np.log1p(np.arange(1, 31))[rows]
    knots = np.unique(np.quantile(logs, np.linspace(0, 1, 12)))
    usual = np.exp(np.interp(np.log1p(count), knots, _curve(logs, ratio, knots)))
    for row in range(31):
        mean = (ratio[rows == row].sum() + 15 * usual[row]) / (count[row] + 15)
        assert found[row] == pytest.approx(np.log(mean))


def test_chance_is_a_logistic_regression_drawn_a_little_to_what_is_usual():
    rng = np.random.default_rng(3)
    value = rng.normal(size=300).astype(np.float32)
    true = rng.random(300) < 1 / (1 + np.exp(0.5 - 1.2 * value))
    level, slope = _logistic(value, true)
    left = true - 1 / (1 + np.exp(-level - slope * value))
    assert left.sum() == pytest.approx(level, abs=1e-3)
    assert (left * value).sum() == pytest.approx(slope - 1.7, abs=1e-3)
    certain = _logistic(value, np.ones(300, bool))
    assert np.isfinite(certain).all()
    assert certain[0] > 2


def test_errors_of_nobody_and_of_one_rating_are_finite():
    one = Rows(np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.float32))
    found = _fitted(np.ones(1, np.float32), one, 3, 2)
    for array in found:
        assert np.isfinite(array).all()


@pytest.fixture
def learnt(monkeypatch):
    """What is learned of drawn vectors; the last person and the last film stand in no rating."""
    rng = np.random.default_rng(0)
    people, films, d = 6, 8, 2
    user, film = (each.ravel()[::2] for each in np.indices((people - 1, films - 1)))
    rows = Rows(
        user.astype(np.int32), film.astype(np.int32), rng.uniform(1, 5, len(user)).astype("f4")
    )
    own, near = rng.normal(0, 0.5, (people + films, d)), rng.normal(0, 0.3, (films, 3))
    left, right = own[:people], own[people:]
    left[:, 0], right[:, 0] = 1, right[:, 0] + 3
    error = rows.rating - (left[user] * right[film]).sum(axis=1)
    felt = np.zeros((people, 3))
    np.add.at(felt, user, error[:, None] * near[film])
    vectors = (
        np.column_stack([left, felt, np.zeros((people, 2))]).astype(np.float32),
        np.column_stack([right, near, np.zeros((films, 2))]).astype(np.float32),
    )
    covariance = np.stack([np.diag([0.1, 0.2 + n]) for n in range(len(SIZES))])
    none, one = np.zeros((0, d)), np.ones(1)
    newcomers = Newcomers(
        none, none, none, covariance, one, one, rng.normal(size=d), one * [[1, 2]]
    )
    told, fitted = [], certainty._fitted

    def seen(stars: np.ndarray, *rest):
        told.append(stars)
        return fitted(stars, *rest)

    monkeypatch.setattr(certainty, "_fitted", seen)

    def learn(chosen: Rows, leverage: np.ndarray | None):
        traits = np.linspace(0, 1, films)[:, None]
        given = newcomers._replace(center=np.zeros(d)), traits, rows, chosen, leverage
        return learn_certainty(*vectors, *given), told[-1], traits

    return learn, rows, (left, right, near, error), newcomers


def test_errors_are_those_of_ratings_that_were_left_out(learnt):
    """By the leverage of each, and without what it adds to what near films say of itself."""
    learn, rows, (_, _, near, error), _ = learnt
    leverage = np.linspace(0, 0.5, len(error))
    _, stars, _ = learn(rows.take(np.zeros(0, np.int64)), leverage)
    expected = []
    for row, (user, film, given) in enumerate(zip(*rows, strict=True)):
        others = (rows.user_idx == user) & (np.arange(len(error)) != row)
        felt = (error[others] @ near[rows.movie_idx[others]]) @ near[film]
        expected.append(given - (error[row] / (1 - leverage[row]) - felt))
    low, high = rows.rating.min(), rows.rating.max()
    np.testing.assert_allclose(stars, np.clip(expected, low, high), atol=1e-4)
    assert ((low < stars) & (stars < high)).mean() > 0.5


def test_errors_without_leverage_are_as_large_as_those_of_validation_rows(learnt):
    learn, rows, (left, right, near, error), _ = learnt
    new = Rows(np.int32([0, 1]), np.int32([1, 2]), np.float32([3.0, 3.5]))
    _, stars, _ = learn(new, None)
    felt = np.zeros((len(left), 3))
    np.add.at(felt, rows.user_idx, error[:, None] * near[rows.movie_idx])
    whole = left @ right.T + felt @ near.T
    missed = rows.rating - whole[rows[:2]]
    size = np.mean((new.rating - whole[new[:2]]) ** 2) / np.mean(missed**2)
    expected = rows.rating - missed * np.sqrt(size)
    low, high = rows.rating.min(), rows.rating.max()
    np.testing.assert_allclose(stars, np.clip(expected, low, high), atol=1e-4)


def test_terms_of_who_and_what_is_new_are_what_is_not_known_of_vectors(learnt):
    learn, rows, (left, right, _, error), newcomers = learnt
    found, _, traits = learn(rows.take(np.zeros(0, np.int64)), np.zeros(len(error)))
    films, people = right[rows.movie_idx], left[rows.user_idx]
    met = films.T @ films / len(films)
    np.testing.assert_allclose(found.met, met, atol=1e-5)
    missed = films - newcomers.movie_center - traits[rows.movie_idx] @ newcomers.movie_tower
    film = np.log1p(np.mean((people @ missed.T) ** 2) / found.usual)
    person = np.log1p(np.sum(newcomers.covariance[0] * met) / found.usual)
    np.testing.assert_allclose(found.new_film, film, rtol=1e-4)
    np.testing.assert_allclose([found.films[-1], found.users[-1]], [film[0], person[0]], rtol=1e-4)
    assert not np.isclose(found.films[:-1], film[0]).any()


@pytest.mark.parametrize("trained", ["small_best", "small_run"])
def test_intervals_hold_what_they_say_and_the_least_sure_err_more(trained, request):
    run = request.getfixturevalue(trained)
    sure = evaluate(run)["certainty"]
    assert sure["coverage"] == pytest.approx(0.8, abs=0.05)
    assert sure["least_sure"] > 1.1 * sure["surest"]
    assert sure["chance_error"] < 0.06


def test_certainty_metrics_by_hand():
    found = certainty_metrics([4, 4, 2, 1], [4, 3, 3, 4], [0.5, 1, 0.6, 2], [0.75, 0.5, 0.25, 0.5])
    assert found["coverage"] == 0.5  # errors of 0, 1, 1 and 3; the second is within 1.28
    assert (found["surest"], found["least_sure"]) == (0, 3)
    assert found["chance_error"] == pytest.approx((0.25 + 0.5 + 0.25 + 0.5) / 4)


def test_who_tells_more_is_surer_and_what_is_new_is_least_sure(small_best):
    rec = small_best.recommender
    films = rec.tables.ratings["movie_id"].value_counts().index[:30].tolist()
    told = [rec.new_user(dict.fromkeys(films[:n], 3.0)) for n in (0, 5, 25)]
    terms = [person.user_term for person in told]
    assert terms[0] > terms[1] > terms[2] > 0
    grown = rec.add_movies(pd.DataFrame({"title": ["New (2000)"], "genres": ["Drama"]}))
    new = int(grown.tables.movies["movie_id"].max())
    stars, std = grown.predict(told[0], [films[0], new], return_std=True)
    assert std[1] > std[0]
    np.testing.assert_array_equal(stars, grown.predict(told[0], [films[0], new]))
    user = int(rec.tables.users["user_id"].max()) + 1
    people = rec.tables.users.iloc[:1].assign(user_id=user)
    rated = pd.DataFrame({"user_id": user, "movie_id": films[:5], "rating": 3.0})
    joined = rec.add_ratings(rated, people)
    assert joined.person(user).user_term == pytest.approx(terms[1], abs=1e-5)
    pair = joined.predict([user], films[:1], return_std=True)
    alone = joined.predict(joined.person(user), films[:1], return_std=True)
    np.testing.assert_allclose(pair, alone, rtol=1e-5)


def test_a_daring_list_is_less_sure_than_a_cautious_one(small_best):
    rec = small_best.recommender
    stds = {}
    for daring in (-1.0, 0.0, 1.0):
        lists = [rec.for_user(user, liking=1.0, daring=daring) for user in range(1, 30)]
        stds[daring] = pd.concat(lists)["std"].mean()
    assert stds[-1.0] < stds[0.0] < stds[1.0]
    films = rec.for_user(1)
    assert films["chance"].between(0, 1).all()
    assert films.equals(rec.for_user(1, daring=0.0))
    with pytest.raises(InputError, match="daring 2; expected -1"):
        rec.for_user(1, daring=2)
