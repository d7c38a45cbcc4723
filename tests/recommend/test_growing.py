"""New films and new ratings without training: what they are worth, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from worlds import drawn_model, drawn_tables

from movierec.data.features import Features
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.models.best import BestRecipe
from movierec.recommend.recommender import Recommender
from movierec.sample.simulate import simulate
from movierec.training import train

TINY = BestRecipe("tiny", factors=6, passes=6, members=1)


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
    rec = rec.add_movies(added[["movie_id", "title", "genres"]])
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
    assert rec.new_user({int(new[0]): 5}).vector.shape == (rec.model.films.shape[1],)


def test_films_get_the_next_ids_and_the_year_of_their_titles(small_best):
    rec = small_best.recommender
    last = int(rec.tables.movies["movie_id"].max())
    rec = rec.add_movies(
        pd.DataFrame({"title": ["Up, Up (1999)", "Down"], "genres": ["Drama", "Comedy"]})
    )
    added = rec.tables.movies.tail(2)
    assert added["movie_id"].tolist() == [last + 1, last + 2]
    assert added["year"].tolist() == [1999, pd.NA]
    assert rec.movie_id("Up, Up (1999)") == last + 1
    told = pd.DataFrame({"title": ["Out"], "genres": ["Drama"], "year": [2001], "movie_id": [9000]})
    rec = rec.add_movies(told.astype({"year": "int64", "movie_id": "int32"}))
    assert rec.tables.movies.iloc[-1][["movie_id", "year"]].tolist() == [9000, 2001]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"title": ["A"], "genres": ["Slapstick"]}, "unknown genre 'Slapstick'; expected some of"),
        ({"title": ["A"]}, "genres"),
        ({"title": [7], "genres": ["Drama"]}, "a title"),
        ({"title": ["A"], "genres": ["Drama"], "movie_id": [1]}, "1"),
    ],
)
def test_films_that_cannot_be_added_leave_all_as_it_was(small_best, frame, message):
    rec = small_best.recommender
    films = len(rec.tables.movies)
    with pytest.raises(InputError, match=message):
        rec.add_movies(pd.DataFrame(frame))
    assert len(rec.tables.movies) == films
    assert len(rec.for_user(1)) == 10


def test_further_ratings_move_a_known_user(small_best, small_world):
    """Told what they would give to films that they have not rated, a user is predicted better."""
    rec = small_best.recommender
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
    rec = rec.add_ratings(told)
    after = rec.predict(asked["user_id"], asked["movie_id"])
    errors = [rating_metrics(asked["truth"], predicted)["rmse"] for predicted in (before, after)]
    assert errors[1] < errors[0]
    seen = set(told["movie_id"][told["user_id"] == users[0]])
    assert not seen & set(rec.for_user(int(users[0]), k=5)["movie_id"])
    films, stars = rec.seen(int(user_idx[0]), learned_only=True)
    given = dict(zip(rec.features.movies.decode(films).tolist(), stars.tolist(), strict=True))
    profile, of_new = rec.person(int(users[0])).profile, rec.new_user(given).profile
    np.testing.assert_allclose(profile[:-1], of_new[:-1], atol=1e-5)
    others = [user for user in rec.tables.users["user_id"] if user not in set(users)]
    untouched = small_best.recommender.predict(others, np.full(len(others), movies[0]))
    np.testing.assert_array_equal(rec.predict(others, np.full(len(others), movies[0])), untouched)
    assert len(lists) == 5


def test_added_user_is_the_new_user_of_the_same_ratings(small_best):
    rec = small_best.recommender
    films = rec.tables.movies["movie_id"].tolist()[:4]
    ratings = dict(zip(films, [5.0, 2.0, 4.0, 1.0], strict=True))
    person = rec.new_user(ratings, gender="F", age=30, occupation=2)
    user_id = int(rec.tables.users["user_id"].max()) + 7
    who = {"user_id": [user_id], "gender": ["F"], "age": [30], "occupation": [2], "zip": ["00000"]}
    added = pd.DataFrame({"user_id": user_id, "movie_id": films, "rating": list(ratings.values())})
    rec = rec.add_ratings(added.iloc[::-1], pd.DataFrame(who))
    np.testing.assert_allclose(rec.person(user_id).vector, person.vector, atol=1e-5)
    np.testing.assert_allclose(rec.person(user_id).profile, person.profile, atol=1e-5)
    assert len(rec.for_user(user_id, k=3)) == 3


def test_ratings_of_a_user_who_had_none_are_those_of_somebody_new():
    tables = drawn_tables()
    features = Features.fit(tables)
    rec = Recommender(tables, features, drawn_model(features))
    silent = int(tables.users["user_id"].iloc[-1])
    films = tables.movies["movie_id"].tolist()[:3]
    told = tables.users.iloc[-1][["gender", "age", "occupation"]].to_dict()
    person = rec.new_user(dict.fromkeys(films, 4.0), **told)
    rated = pd.DataFrame({"user_id": silent, "movie_id": films, "rating": 4.0})
    found = rec.add_ratings(rated).person(silent)
    np.testing.assert_allclose(found.vector, person.vector, atol=1e-5)
    np.testing.assert_allclose(found.profile, person.profile, atol=1e-5)
    assert found.user_term == pytest.approx(person.user_term, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": 10**6}, "user_id 1000000 is unknown"),
        ({"movie_id": 10**6}, "movie_id 1000000 is unknown"),
        ({"rating": 9.0}, "got a rating of 9; expected 1 to 5 stars"),
        ({"rating": float("nan")}, "got a rating of nan"),
        ({"rating": None}, "got a rating of nan"),
        ({"rating": "good"}, "got a rating of nan"),
    ],
)
def test_ratings_that_cannot_be_leave_all_as_it_was(small_best, change, message):
    rec = small_best.recommender
    rated = set(rec.tables.ratings["movie_id"][rec.tables.ratings["user_id"] == 1])
    movie = next(m for m in rec.tables.movies["movie_id"] if m not in rated)
    frame = pd.DataFrame([{"user_id": 1, "movie_id": movie, "rating": 4.0} | change])
    before = len(rec.tables.ratings)
    with pytest.raises(InputError, match=message):
        rec.add_ratings(frame)
    assert len(rec.tables.ratings) == before
