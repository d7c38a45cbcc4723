"""New people and new films: exact arithmetic, and what it is worth on a known world."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.data.attributes import encode_people, movie_attributes, user_attributes
from movierec.evaluation.metrics import rating_metrics
from movierec.models import newcomers
from movierec.models.best import BestRecipe
from movierec.models.nearby import near_vectors
from movierec.models.newcomers import (
    MEAN_SHARE,
    MOVIE_SHARE,
    RIDGE,
    SIZES,
    _gain,
    _user_regression,
    learn_newcomers,
    new_movies,
    new_user,
)
from movierec.recommend.recommender import Recommender
from movierec.training import train
from movierec.vectors import Rows

TINY = BestRecipe("tiny", factors=6, passes=6, members=1)


@pytest.fixture
def rec(small_best) -> Recommender:
    return small_best.recommender


def test_posterior_is_that_of_bayes_rule(rec):
    """Against precision form, with a covariance that has a size of its own."""
    newcomers, movies = rec.model.newcomers, rec.model.films
    n = int(SIZES[4])
    films, stars = np.arange(1, n + 1), np.resize([5.0, 3.0, 1.0], n).astype(np.float32)
    attributes = encode_people(rec.features, gender=0)[0]
    found = new_user(newcomers, movies, attributes, films, stars)
    nobody = new_user(newcomers, movies, attributes, films[:0], stars[:0])
    assert nobody.vector == pytest.approx(nobody.base)

    size = 0.3 * np.array([np.log1p(n), np.sqrt(n / (n + 20))])
    prior = newcomers.center + newcomers.history[films].sum(axis=0) / np.sqrt(n + 20)
    prior = prior + np.concatenate([attributes, size]) @ newcomers.tower
    covariance, noise = newcomers.covariance[4].astype(float), float(newcomers.noise[0])
    seen = movies[films, : len(prior)].astype(float)
    covariance = covariance + 1e-9 * np.eye(len(covariance))  # one entry is the same for all
    precision = np.linalg.inv(covariance) + seen.T @ seen / noise
    moved = np.linalg.solve(precision, seen.T @ (stars - seen @ prior) / noise)
    np.testing.assert_allclose(found.vector[: len(prior)], prior + moved, atol=2e-3)
    near = movies[films, len(prior) : -2]
    felt = (stars - seen @ found.vector[: len(prior)]) @ near
    np.testing.assert_allclose(found.vector[len(prior) : -2], felt, atol=2e-3)
    usual = float(newcomers.mean[0])
    assert found.vector[-1] == pytest.approx(usual + np.sum(stars - usual) / (n + 5), rel=1e-5)


def test_parts_add_up_and_the_order_does_not_matter(rec):
    ratings = {int(movie): float(1 + movie % 5) for movie in rec.tables.movies["movie_id"][:12]}
    person = rec.new_user(ratings, gender="F", age=25, occupation=3)
    again = rec.new_user(dict(reversed(ratings.items())), occupation=3, age=25, gender="F")
    np.testing.assert_array_equal(person.vector, again.vector)
    np.testing.assert_array_equal(person.profile, again.profile)
    np.testing.assert_allclose(
        person.new.base + person.new.parts.sum(axis=0), person.vector, atol=1e-4
    )


def test_films_of_which_a_recipe_says_nothing_leave_the_means(rec):
    users, movies = len(rec.features.users), len(rec.features.movies)
    known = user_attributes(rec.features), movie_attributes(rec.features)
    vectors = np.ones((users, 2), np.float32), np.zeros((movies, 2), np.float32)
    rows = Rows(
        *(rec.features.users.used[:50], rec.features.movies.used[:50]),
        np.resize(np.float32([1, 5]), 50),
    )
    near = np.zeros((movies, 0), np.float32)
    newcomers, people, films = learn_newcomers(vectors, known, rows, near, seed=0)
    assert all(np.isfinite(array).all() for array in (*newcomers, people, films))


@pytest.mark.parametrize("trained", ["small_best", "small_run"])
def test_new_people_are_served_better_the_more_they_tell(trained, request):
    """People of the data, as if they were new: their test rows from ever more training rows."""
    run = request.getfixturevalue(trained)
    rec, given, test = run.recommender, run.rows("train"), run.rows("test")
    mean = np.bincount(given.movie_idx, given.rating) / np.maximum(np.bincount(given.movie_idx), 1)
    errors = {}
    for known in (0, 5, 20):
        predicted, stars = [], []
        for user in np.unique(test.user_idx)[:150]:
            rows = np.flatnonzero(given.user_idx == user)[:known]
            films = rec.features.movies.decode(given.movie_idx[rows])
            person = rec.new_user(dict(zip(films.tolist(), given.rating[rows], strict=True)))
            asked = test.user_idx == user
            asked_for = rec.features.movies.decode(test.movie_idx[asked])
            predicted.append(rec.predict(person, asked_for))
            stars.append(test.rating[asked])
        errors[known] = rating_metrics(np.concatenate(stars), np.concatenate(predicted))["rmse"]
    measured = np.isin(test.user_idx, np.unique(test.user_idx)[:150])
    by_mean = rating_metrics(test.rating[measured], mean[test.movie_idx[measured]])["rmse"]
    assert errors[20] < errors[5] < errors[0] < 1.03 * by_mean


def test_loved_films_speak_for_their_like(rec):
    """The nearest film to a film: loving it speaks for it more than hating it does."""
    film = int(rec.tables.ratings["movie_id"].value_counts().index[0])
    other = int(rec.similar(film, k=1)["movie_id"].iloc[0])
    for_it = rec.explain(rec.new_user({film: 5}), other)["stars"].iloc[-1]
    against = rec.explain(rec.new_user({film: 1}), other)["stars"].iloc[-1]
    assert for_it > 0 > against


def test_film_that_resembles_a_trained_one_gets_a_vector_like_it(rec):
    features = rec.features
    attributes = movie_attributes(features)[features.movies.used]
    trained = rec.model.films[features.movies.used]
    d = len(rec.model.newcomers.center)
    vectors = new_movies(rec.model.newcomers, attributes, trained.shape[1] - d - 2)
    by_mean = trained - trained.mean(axis=0)
    described = vectors - vectors.mean(axis=0)
    assert (by_mean * described).sum() > 0


def test_new_film_is_a_usual_film_at_the_level_of_who_rates_it_and_what_it_is(rec):
    newcomers, user = rec.model.newcomers, rec.model.users[rec.features.users.used[3]]
    attributes = movie_attributes(rec.features)[rec.features.movies.used][:4]
    known = user[: len(newcomers.center)]
    vectors = new_movies(newcomers, attributes, len(user) - len(known) - 2)
    usual = (1 - MEAN_SHARE) * known @ newcomers.movie_center + MEAN_SHARE * user[-1]
    special = MOVIE_SHARE * attributes @ newcomers.movie_tower @ known
    np.testing.assert_allclose(vectors @ user, usual + special, atol=1e-4)


def test_tower_of_new_users_is_the_ridge_regression_on_films_and_their_traits():
    """Against the normal equations; the weight of a film is its own and that of its like."""
    rng = np.random.default_rng(0)
    films = rng.normal(size=(9, 3)).astype(np.float32)
    inputs = [sp.csr_array(rng.random((40, 9 + 2)).astype(np.float32)) for _ in range(2)]
    targets = rng.normal(size=(40, 2)).astype(np.float32)
    weight = rng.uniform(1, 9, 40)
    found = _user_regression(inputs, targets, films, weight)
    traits = 2 * films / np.sqrt((films**2).sum(axis=1).mean())
    join = np.hstack([np.eye(11), np.vstack([traits, np.zeros((2, 3))])])  # (11, 11 + 3)
    known = np.vstack([each.toarray() for each in inputs]) @ join
    heavy = np.tile(weight / weight.mean(), 2)[:, None]
    square = known.T @ (heavy * known) + RIDGE * np.eye(14)
    expected = join @ np.linalg.solve(square, known.T @ (heavy * np.tile(targets, (2, 1))))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_learning_again_gives_the_same_bits(rec, small_best):
    rows = small_best.rows("train")
    known = user_attributes(rec.features), movie_attributes(rec.features)
    d = len(rec.model.newcomers.center)
    trained = rec.model.users[:, :d], rec.model.films[:, :d]
    near = near_vectors(rec.model.watching)
    first, again = (learn_newcomers(trained, known, rows, near, seed=1) for _ in range(2))
    for left, right in zip((*first[0], *first[1:]), (*again[0], *again[1:]), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_cut_history_holds_each_film_by_the_root_of_how_many_stand_in_it():
    rows = Rows(*(np.array(x, np.int32) for x in ([1] * 9 + [2] * 2, [*range(1, 10), 3, 4])), None)
    inputs = newcomers._cut_histories(rows, np.array([1, 2]), 10, np.zeros((2, 0), np.float32), 0)
    for size, found in zip(SIZES, inputs, strict=True):
        for row, all_of_them in enumerate((9, 2)):
            count = min(size, all_of_them)
            films = found[[row], :10].data
            assert films.tolist() == pytest.approx([(count + 20) ** -0.5] * count)


def test_what_is_learned_of_people_and_films_is_that_of_plain_sums():
    rng = np.random.default_rng(4)
    user, film = np.nonzero(rng.random((14, 9)) < 0.6)
    stars = rng.integers(1, 6, len(user)).astype(np.float32)
    rows = Rows(user.astype(np.int32) + 1, film.astype(np.int32) + 1, stars)  # row 0 is nobody's
    people, movies = (rng.normal(size=(n, 2)).astype(np.float32) for n in (15, 10))
    known = rng.random((15, 3)).astype(np.float32), rng.random((10, 2)).astype(np.float32)
    near = np.zeros((10, 0), np.float32)
    found, vectors, films = learn_newcomers((people, movies), known, rows, near, seed=2)

    center = people[1:].mean(axis=0)
    count = np.bincount(user)
    inputs = newcomers._cut_histories(rows, np.arange(1, 15), 10, known[0][1:], 2)
    tower = _user_regression(inputs, people[1:] - center, movies, count**0.5)
    np.testing.assert_allclose(found.center, center, rtol=1e-5)
    np.testing.assert_allclose(np.vstack([found.history, found.tower]), tower, atol=1e-4)
    for of_size, covariance in zip(inputs, found.covariance, strict=True):
        left = people[1:] - center - of_size @ tower
        share = 1.35 * count**0.5 / (count**0.5).sum()
        np.testing.assert_allclose(covariance, left.T @ (share[:, None] * left), atol=1e-3)
    error = stars - (people[rows.user_idx] * movies[rows.movie_idx]).sum(axis=1)
    assert found.noise[0] == pytest.approx(np.mean(error**2), rel=1e-5)
    mean = stars.mean()
    user_mean, film_mean = (
        [mean + (stars[idx == row] - mean).sum() / ((idx == row).sum() + 5) for row in range(n)]
        for idx, n in ((rows.user_idx, 15), (rows.movie_idx, 10))
    )
    np.testing.assert_allclose(vectors[:, -1], user_mean, rtol=1e-5)
    assert found.mean[0] == pytest.approx(np.mean(user_mean), rel=1e-5)
    nobody = new_user(found, films, known[0][1:].mean(axis=0), rows.user_idx[:0], stars[:0]).base
    above = film_mean - films[:, :2] @ nobody[:2]
    np.testing.assert_allclose(films[:, -2], [0, *above[1:]], atol=1e-4)
    assert not films[:, -1].any()
    assert not vectors[:, -2].any()
    weight = np.bincount(rows.movie_idx, minlength=10) ** 0.5
    weight /= weight[1:].mean()
    middle = np.average(movies, axis=0, weights=weight)
    np.testing.assert_allclose(found.movie_center, middle, atol=1e-5)
    heavy = known[1] * weight[:, None]
    square = heavy.T @ known[1] + 0.3 * np.eye(2)
    tower = np.linalg.solve(square, heavy.T @ (movies - middle))
    np.testing.assert_allclose(found.movie_tower, tower, atol=1e-4)


@pytest.mark.parametrize("most", [7, 10_000])
def test_people_are_asked_once_each_and_all_unless_they_are_too_many(
    rec, small_best, monkeypatch, most
):
    asked, cut = [], newcomers._cut_histories

    def seen(rows: Rows, known: np.ndarray, *rest):
        asked.extend(known.tolist())
        assert sorted({*rows.user_idx.tolist()}) == asked
        return cut(rows, known, *rest)

    monkeypatch.setattr(newcomers, "_cut_histories", seen)
    monkeypatch.setattr(newcomers, "MOST_ASKED", most)
    rows, d = small_best.rows("train"), len(rec.model.newcomers.center)
    known = user_attributes(rec.features), movie_attributes(rec.features)
    trained = rec.model.users[:, :d], rec.model.films[:, :d]
    near = np.zeros((len(trained[1]), 0), np.float32)
    learn_newcomers(trained, known, rows, near, seed=1)
    people = np.unique(rows.user_idx).tolist()
    assert asked == people if most > len(people) else len({*asked} & {*people}) == most
    first = asked.copy()
    asked.clear()
    learn_newcomers(trained, known, rows, near, seed=1)
    assert asked == first


def test_trained_vectors_are_kept_and_those_without_one_are_newcomers(rec, small_best):
    rows = small_best.rows("train")
    known = user_attributes(rec.features), movie_attributes(rec.features)
    d = len(rec.model.newcomers.center)
    users, films = rec.model.users[:, :d].copy(), rec.model.films[:, :d].copy()
    near = np.zeros((len(films), 0), np.float32)
    users[5], films[7] = np.nan, np.nan
    kept = rows.take(np.flatnonzero((rows.user_idx != 5) & (rows.movie_idx != 7)))
    learned, people, movies = learn_newcomers((users, films), known, kept, near, seed=0)
    told = np.arange(len(users)) != 5
    np.testing.assert_array_equal(people[told, :-2], users[told])
    others = np.arange(len(films)) != 7
    np.testing.assert_array_equal(movies[others, :-2], films[others])
    nobody = new_user(learned, movies, known[0][5], np.zeros(0, int), np.zeros(0, np.float32))
    np.testing.assert_array_equal(people[5], nobody.vector)
    np.testing.assert_array_equal(movies[[7]], new_movies(learned, known[1][[7]], 0))


def test_user_without_training_rows_is_shown_what_a_new_user_is(small_tables, tmp_path):
    user = int(small_tables.ratings["user_id"].iloc[0])
    held_out = np.flatnonzero(small_tables.ratings["user_id"] == user)
    rec = train(small_tables, TINY, run_dir=tmp_path / "run", holdout=held_out).recommender
    who = small_tables.users.set_index("user_id").loc[user, ["gender", "age", "occupation"]]
    expected = rec.for_user(rec.new_user(**dict(who)), k=8)
    found = rec.for_user(user, k=8, exclude_seen=False)
    assert found["movie_id"].tolist() == expected["movie_id"].tolist()
    listed = rec.top(rec.features.users.encode([user]), 8, exclude_seen=False)[0][0]
    assert rec.features.movies.decode(listed).tolist() == expected["movie_id"].tolist()


def test_long_histories_move_a_vector_as_short_ones_do(rec):
    """The system of d equations against that of n, for more films than the vector has entries."""
    newcomers = rec.model.newcomers
    movies = rec.model.films[:, : len(newcomers.center)]
    n = movies.shape[1] + 20
    rated, covariance = movies[:n].astype(float), newcomers.covariance[-1].astype(float)
    spread = rated @ covariance
    expected = np.linalg.solve(spread @ rated.T + newcomers.noise * np.eye(n), spread)
    found = _gain(newcomers, rec.model.films.astype(float), np.arange(n), covariance)[2]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_data_in_which_all_ratings_are_the_same_has_newcomers(small_tables, tmp_path):
    ratings = small_tables.ratings.assign(rating=np.float32(4))
    tables = dataclasses.replace(small_tables, ratings=ratings)
    rec = train(tables, TINY, run_dir=tmp_path / "run").recommender
    films = rec.tables.movies["movie_id"].tolist()[:20]
    for told in (films, films[:1], []):
        person = rec.new_user(dict.fromkeys(told, 4.0))
        stars, std = rec.predict(person, films, return_std=True)
        assert stars == pytest.approx(4)
        assert np.all((std > 0) & (std < 0.5))
