"""New people and new films: exact arithmetic, and what it is worth on a known world."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from movierec.data.attributes import encode_people, movie_attributes, user_attributes
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.models.best import BestRecipe
from movierec.models.newcomers import SIZES, _gain, learn_newcomers, new_movies, new_user
from movierec.runs import load_run
from movierec.sample.simulate import simulate
from movierec.training import train

TINY = BestRecipe("tiny", factors=6, passes=6, members=1, watch_rank=20)


@pytest.fixture(scope="module")
def rec(small_best):
    return load_run(small_best.path).recommender  # its own: films are added to it


def test_posterior_is_that_of_bayes_rule(small_best):
    """Against precision form, with a covariance that has a size of its own."""
    rec = small_best.recommender
    newcomers, movies = rec.newcomers, rec.movie_vectors
    n = int(SIZES[4])
    films, stars = np.arange(1, n + 1), np.resize([5.0, 3.0, 1.0], n).astype(np.float32)
    attributes = encode_people(rec.features, gender=0)[0]
    found = new_user(newcomers, movies, attributes, films, stars)
    nobody = new_user(newcomers, movies, attributes, films[:0], stars[:0])
    assert nobody.vector == pytest.approx(nobody.base)

    rows = len(movies)
    size = 0.3 * np.array([np.log1p(n), np.sqrt(n / (n + 20))])
    prior = newcomers.center + newcomers.tower[films].sum(axis=0) / np.sqrt(n + 20)
    prior = prior + np.concatenate([attributes, size]) @ newcomers.tower[rows:]
    covariance, noise = newcomers.covariance[4].astype(float), float(newcomers.noise[0])
    seen = movies[films].astype(float)
    covariance = covariance + 1e-9 * np.eye(len(covariance))  # one entry is the same for all
    precision = np.linalg.inv(covariance) + seen.T @ seen / noise
    moved = np.linalg.solve(precision, seen.T @ (stars - seen @ prior) / noise)
    np.testing.assert_allclose(found.vector[:-2], prior + moved, atol=2e-3)


def test_parts_add_up_and_the_order_does_not_matter(rec):
    ratings = {int(movie): float(1 + movie % 5) for movie in rec.tables.movies["movie_id"][:12]}
    person = rec.new_user(ratings, gender="F", age=25, occupation=3)
    again = rec.new_user(dict(reversed(ratings.items())), occupation=3, age=25, gender="F")
    np.testing.assert_array_equal(person.vector, again.vector)
    np.testing.assert_array_equal(person.profile, again.profile)
    np.testing.assert_allclose(person.base + person.parts.sum(axis=0), person.vector, atol=1e-4)


@pytest.mark.parametrize("recipe", ["best", "fast"])
def test_new_people_are_served_better_the_more_they_tell(small_best, small_run, recipe):
    """People of the data, as if they were new: their test rows from ever more training rows."""
    run = small_best if recipe == "best" else small_run
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
            predicted.append(rec.predict_for(person, asked_for))
            stars.append(test.rating[asked])
        errors[known] = rating_metrics(np.concatenate(stars), np.concatenate(predicted))["rmse"]
    measured = np.isin(test.user_idx, np.unique(test.user_idx)[:150])
    by_mean = rating_metrics(test.rating[measured], mean[test.movie_idx[measured]])["rmse"]
    assert errors[20] < errors[5] < errors[0] < 1.03 * by_mean


def test_new_person_gets_films_in_all_modes(rec):
    films = rec.tables.movies["movie_id"].tolist()
    ratings = {films[0]: 5, films[1]: 1.5}
    found = rec.for_new_user(ratings, gender="M", age=30, occupation=0, k=7)
    assert len(found) == 7
    assert not set(ratings) & set(found["movie_id"])
    assert found["score"].is_monotonic_decreasing
    assert found["predicted"].between(1, 5).all()
    nobody = rec.for_new_user(k=5)
    assert len(nobody) == 5
    drawn = [
        rec.for_new_user(ratings, temperature=1.0, seed=s)["movie_id"].tolist() for s in (1, 1)
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"ratings": {987654: 5}}, "unknown movie id 987654"),
        ({"ratings": {1: 6}}, "got a rating of 6; expected 1 to 5 stars"),
        ({"ratings": {1: float("nan")}}, "got a rating of nan"),
        ({"gender": "X"}, "got gender 'X'; expected one of F, M"),
        ({"age": 0}, "got age 0"),
        ({"occupation": 99}, "got occupation 99; expected a code, 0 to 20"),
        ({"age": "25"}, "got age '25'; expected a number of years"),
    ],
)
def test_what_cannot_be_is_refused(rec, told, message):
    with pytest.raises(InputError, match=message):
        rec.new_user(**told)


def test_explanation_adds_up_to_the_prediction(rec):
    ratings = {int(movie): float(1 + movie % 5) for movie in rec.tables.movies["movie_id"][:9]}
    person = rec.new_user(ratings, gender="F")
    film = int(rec.for_user(person, k=1)["movie_id"].iloc[0])
    for who in (person, 1):
        reasons = rec.explain(who, film)
        row = rec.features.movies.encode([film])[0]
        someone = who if who is person else rec.person(who)
        assert reasons["stars"].sum() == pytest.approx(rec.films[row] @ someone.vector, abs=1e-3)
        rated = reasons.dropna(subset="movie_id")
        known = (
            len(someone.rated) if who is person else rec.learned[rec.tables.ratings["user_id"] == 1]
        )
        assert len(rated) == np.sum(known)
        assert rated["stars"].abs().is_monotonic_decreasing
        watch = rec.watched[row, :-1] @ someone.profile + someone.popular * rec.watching.liked[row]
        assert reasons["watching"].sum() == pytest.approx(watch, abs=1e-3)


def test_only_what_the_training_has_seen_explains_a_known_user(small_best):
    rec = small_best.recommender
    held_out = small_best.tables.ratings[small_best.part == "test"]
    user = int(held_out["user_id"].iloc[0])
    reasons = rec.explain(user, int(rec.for_user(user, k=1)["movie_id"].iloc[0]))
    assert not set(reasons["movie_id"].dropna()) & set(
        held_out.query("user_id == @user")["movie_id"]
    )


def test_whole_numbers_may_be_floats(rec):
    same = (
        rec.new_user({1: 5}, age=25, occupation=4),
        rec.new_user({1: 5}, age=25.0, occupation=4.0),
    )
    np.testing.assert_array_equal(same[0].vector, same[1].vector)


def test_loved_films_speak_for_their_like(rec):
    """The nearest film to a film: loving it speaks for it more than hating it does."""
    film = int(rec.tables.ratings["movie_id"].value_counts().index[0])
    other = int(rec.similar(film, k=1)["movie_id"].iloc[0])
    for_it = rec.explain(rec.new_user({film: 5}), other)["stars"].iloc[-1]
    against = rec.explain(rec.new_user({film: 1}), other)["stars"].iloc[-1]
    assert for_it > 0 > against


@pytest.fixture(scope="module")
def without_some():
    """A world of which thirty films are kept from the training, and the run without them."""
    world = simulate(n_users=400, n_movies=260, n_ratings=24_000, seed=5)
    tables = world.tables
    counts = tables.ratings["movie_id"].value_counts()
    new = np.random.default_rng(0).permutation(counts.index[counts >= 20])[:30]
    return tables, new


def test_new_films_are_in_lists_and_among_neighbours_at_once(without_some, tmp_path):
    tables, new = without_some
    known = ~tables.ratings["movie_id"].isin(new)
    kept = tables.movies[~tables.movies["movie_id"].isin(new)]
    small = type(tables)(tables.users, kept, tables.ratings[known], tables.name, tables.occupations)
    run = train(small, TINY, run_dir=tmp_path / "run", holdout="none")
    rec = run.recommender
    before = rec.for_user(1, k=5)
    added = tables.movies[tables.movies["movie_id"].isin(new)]
    assert rec.add_movies(added[["movie_id", "title", "genres"]]) is rec
    held_out = tables.ratings[~known]
    predicted = rec.predict(held_out["user_id"], held_out["movie_id"])
    by_user = small.ratings.groupby("user_id")["rating"].mean()
    mean = by_user.reindex(held_out["user_id"]).fillna(by_user.mean())
    found, plain = (rating_metrics(held_out["rating"], p)["rmse"] for p in (predicted, mean))
    assert found < plain
    lists = rec.for_users(tables.users["user_id"], k=10)
    assert 0.01 < lists["movie_id"].isin(new).mean() < 0.6
    assert len(rec.similar(int(new[0]), k=5)) == 5
    assert not rec.similar(int(new[0]), k=5)["score"].isna().any()
    old = before[~before["movie_id"].isin(new)]
    still = rec.for_user(1, k=50)
    shared = still[still["movie_id"].isin(old["movie_id"])]
    assert shared["movie_id"].tolist() == old["movie_id"].tolist()  # among themselves as before
    assert rec.new_user({int(new[0]): 5}).vector.shape == (rec.films.shape[1],)


def test_films_get_the_next_ids_and_the_year_of_their_titles(small_best):
    rec = load_run(small_best.path).recommender
    last = int(rec.tables.movies["movie_id"].max())
    rec.add_movies(
        pd.DataFrame({"title": ["Up, Up (1999)", "Down"], "genres": ["Drama", "Comedy"]})
    )
    added = rec.tables.movies.tail(2)
    assert added["movie_id"].tolist() == [last + 1, last + 2]
    assert added["year"].tolist() == [1999, pd.NA]
    assert rec.movie_id("Up, Up (1999)") == last + 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"title": ["A"], "genres": ["Slapstick"]}, "unknown genre 'Slapstick'; expected some of"),
        ({"title": ["A"]}, "genres"),
        ({"title": ["A"], "genres": ["Drama"], "movie_id": [1]}, "1"),
    ],
)
def test_films_that_cannot_be_added_leave_all_as_it_was(small_best, frame, message):
    rec = load_run(small_best.path).recommender
    films = len(rec.tables.movies)
    with pytest.raises(InputError, match=message):
        rec.add_movies(pd.DataFrame(frame))
    assert len(rec.tables.movies) == films
    assert len(rec.for_user(1)) == 10


def test_film_that_resembles_a_trained_one_gets_a_vector_like_it(small_best):
    rec = small_best.recommender
    features = rec.features
    vectors = new_movies(rec.newcomers, movie_attributes(features)[features.movies.used])
    trained = rec.films[features.movies.used]
    by_mean = trained - trained.mean(axis=0)
    described = vectors - vectors.mean(axis=0)
    assert (by_mean * described).sum() > 0


def test_learning_again_gives_the_same_bits(small_best):
    rec, rows = small_best.recommender, small_best.rows("train")
    known = user_attributes(rec.features), movie_attributes(rec.features)
    first, again = (
        learn_newcomers(rec.user_vectors, rec.movie_vectors, *known, rows, seed=1) for _ in range(2)
    )
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)


def test_further_ratings_move_a_known_user(small_best, small_world):
    """Told what they would give to films that they have not rated, a user is predicted better."""
    rec = load_run(small_best.path).recommender
    test = small_best.rows("test")
    counts = np.bincount(test.user_idx)
    user_idx = np.flatnonzero(counts >= 6)[:40]
    users = rec.features.users.decode(user_idx)
    movies = rec.tables.movies["movie_id"].to_numpy()
    rated = rec.tables.ratings.groupby("user_id")["movie_id"].agg(set)
    told, asked = [], []
    for user in users:
        new = [movie for movie in movies if movie not in rated[user]]
        truth = small_world.truth.expected_rating(np.full(len(new), user), np.array(new))
        frame = pd.DataFrame({"user_id": user, "movie_id": new, "rating": np.rint(truth)})
        told.append(frame.iloc[::2])
        asked.append(frame.assign(truth=truth).iloc[1::2])
    told, asked = pd.concat(told), pd.concat(asked)
    before = rec.predict(asked["user_id"], asked["movie_id"])
    lists = rec.for_user(int(users[0]), k=5)
    assert rec.add_ratings(told) is rec
    after = rec.predict(asked["user_id"], asked["movie_id"])
    errors = [rating_metrics(asked["truth"], predicted)["rmse"] for predicted in (before, after)]
    assert errors[1] < errors[0]
    seen = set(told["movie_id"][told["user_id"] == users[0]])
    assert not seen & set(rec.for_user(int(users[0]), k=5)["movie_id"])
    others = [user for user in rec.tables.users["user_id"] if user not in set(users)]
    untouched = small_best.recommender.predict(others, np.full(len(others), movies[0]))
    np.testing.assert_array_equal(rec.predict(others, np.full(len(others), movies[0])), untouched)
    assert len(lists) == 5


def test_added_user_is_the_new_user_of_the_same_ratings(small_best):
    rec = load_run(small_best.path).recommender
    films = rec.tables.movies["movie_id"].tolist()[:4]
    ratings = dict(zip(films, [5.0, 2.0, 4.0, 1.0], strict=True))
    person = rec.new_user(ratings, gender="F", age=30, occupation=2)
    user_id = int(rec.tables.users["user_id"].max()) + 7
    who = {"user_id": [user_id], "gender": ["F"], "age": [30], "occupation": [2], "zip": ["00000"]}
    added = pd.DataFrame({"user_id": user_id, "movie_id": films, "rating": list(ratings.values())})
    rec.add_ratings(added.iloc[::-1], pd.DataFrame(who))
    np.testing.assert_allclose(rec.person(user_id).vector, person.vector, atol=1e-5)
    np.testing.assert_allclose(rec.person(user_id).profile, person.profile, atol=1e-5)
    assert len(rec.for_user(user_id, k=3)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": 10**6}, "user_id 1000000 is unknown"),
        ({"movie_id": 10**6}, "movie_id 1000000 is unknown"),
        ({"rating": 9.0}, "got a rating of 9.0; expected 1 to 5 stars"),
        ({"rating": float("nan")}, "got a rating of nan"),
    ],
)
def test_ratings_that_cannot_be_leave_all_as_it_was(small_best, change, message):
    rec = load_run(small_best.path).recommender
    rated = set(rec.tables.ratings["movie_id"][rec.tables.ratings["user_id"] == 1])
    movie = next(m for m in rec.tables.movies["movie_id"] if m not in rated)
    frame = pd.DataFrame([{"user_id": 1, "movie_id": movie, "rating": 4.0} | change])
    before = len(rec.tables.ratings)
    with pytest.raises(InputError, match=message):
        rec.add_ratings(frame)
    assert len(rec.tables.ratings) == before


def test_user_without_training_rows_is_shown_what_a_new_user_is(small_tables, tmp_path):
    user = int(small_tables.ratings["user_id"].iloc[0])
    held_out = np.flatnonzero(small_tables.ratings["user_id"] == user)
    rec = train(small_tables, TINY, run_dir=tmp_path / "run", holdout=held_out).recommender
    who = small_tables.users.set_index("user_id").loc[user, ["gender", "age", "occupation"]]
    expected = rec.for_new_user(**dict(who), k=8)
    found = rec.for_user(user, k=8, exclude_seen=False)
    assert found["movie_id"].tolist() == expected["movie_id"].tolist()
    listed = rec.top(rec.features.users.encode([user]), 8, exclude_seen=False)[0][0]
    assert rec.features.movies.decode(listed).tolist() == expected["movie_id"].tolist()


def test_long_histories_move_a_vector_as_short_ones_do(small_best):
    """The system of d equations against that of n, for more films than the vector has entries."""
    newcomers, movies = small_best.recommender.newcomers, small_best.recommender.movie_vectors
    n = movies.shape[1] + 20
    rated, covariance = movies[:n].astype(float), newcomers.covariance[-1].astype(float)
    spread = rated @ covariance
    expected = np.linalg.solve(spread @ rated.T + newcomers.noise * np.eye(n), spread)
    np.testing.assert_allclose(_gain(covariance, rated, newcomers.noise), expected, atol=1e-6)


def test_one_star_is_said_in_the_singular(small_best):
    rec = small_best.recommender
    disliked, *others = small_best.tables.movies["movie_id"]
    who = rec.new_user({int(disliked): 1.0})
    told = [text for film in others if (text := rec.because(who, int(film)))]
    assert told
    assert all(text.endswith(" 1 star") for text in told)
