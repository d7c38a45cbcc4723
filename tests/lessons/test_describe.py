"""What is said of the tables, on tables small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from movierec.data.features import Features, title_words
from movierec.data.tables import AGE_BANDS, Tables, validate_tables
from movierec.lessons.describe import (
    PAUSE,
    dense_corner,
    genre_flags,
    genre_lift,
    genres_together,
    in_common,
    joined_table,
    kinship,
    neighbours,
    part_table,
    sittings,
    user_groups,
)
from movierec.sample.simulate import Simulation


def test_users_are_told_apart_by_what_the_data_says_of_them(small_world: Simulation) -> None:
    tables = small_world.tables
    groups = user_groups(tables)
    assert list(groups) == ["gender", "age band", "occupation"]
    first = tables.users.iloc[0]
    assert groups["gender"][first["user_id"]] == first["gender"]
    assert groups["occupation"][first["user_id"]] == tables.occupations[first["occupation"]]
    assert groups["age band"].cat.categories[0] == "under 18"
    counts = groups["age band"].value_counts()
    youngest = tables.users["age"].between(18, 24).sum()
    assert counts["18-24"] == youngest
    assert counts.sum() == len(tables.users)


def test_users_of_whom_nothing_is_known_are_one_group(plain_tables: Tables) -> None:
    [(name, group)] = user_groups(plain_tables).items()
    assert name == "what is known"
    assert group.value_counts().to_dict() == {"unknown": len(plain_tables.users)}


def test_films_without_any_genre_are_of_one_kind(plain_tables: Tables) -> None:
    flags = genre_flags(plain_tables.movies.assign(genres=""))
    assert flags.columns.tolist() == ["no genre"]
    assert flags["no genre"].eq(1).all()


def test_flags_say_which_film_has_which_genre(plain_tables: Tables) -> None:
    flags = genre_flags(plain_tables.movies)
    assert flags.columns.tolist() == ["Comedy", "Drama", "War"]
    assert flags.loc[3].tolist() == [1, 1, 0]
    assert flags.loc[5].tolist() == [0, 0, 0]  # no genre listed


def test_genres_together_is_the_part_of_the_rows_films(plain_tables: Tables) -> None:
    share = genres_together(genre_flags(plain_tables.movies))
    assert share.loc["Comedy", "Drama"] == share.loc["Drama", "Comedy"] == 0.5
    assert share.loc["War"].tolist() == [0, 0, 0]


def test_lift_compares_a_groups_share_with_that_of_all(plain_tables: Tables) -> None:
    group = pd.Series(["a", "a", "b", "b"], index=[1, 2, 4, 6])
    lift = genre_lift(plain_tables.ratings, genre_flags(plain_tables.movies), group)
    # of 8 ratings 4 are of drama: films 2, 3, 3, 2; group a gave 3 of its 4 to it, b 1 of 4
    assert lift.loc["Drama", "a"] == pytest.approx(3 / 4 / (4 / 8) - 1)
    assert lift.loc["Drama", "b"] == pytest.approx(1 / 4 / (4 / 8) - 1)


def test_dense_corner_has_the_most_active_people_and_the_most_rated_films(
    small_world: Simulation,
) -> None:
    tables = small_world.tables
    corner = dense_corner(tables, users=20, films=30)
    assert (len(corner.users), len(corner.movies)) == (20, 30)
    rated = tables.ratings["movie_id"].value_counts()
    assert rated[corner.movies["movie_id"]].min() >= rated.iloc[30]
    pairs = tables.ratings.merge(corner.users[["user_id"]]).merge(corner.movies[["movie_id"]])
    assert len(corner.ratings) == len(pairs)
    validate_tables(corner)  # of the schema
    assert len(corner.ratings) / 600 > len(tables.ratings) / (300 * 150)  # denser than the whole


def test_dense_corner_of_few_people_and_films_is_all_of_them(plain_tables: Tables) -> None:
    corner = dense_corner(plain_tables)
    assert len(corner.ratings) == len(plain_tables.ratings)


def test_a_pause_longer_than_the_limit_begins_a_new_sitting() -> None:
    ratings = pd.DataFrame({"user_id": [7, 5, 7, 7], "timestamp": [100, 0, 40, 101 + PAUSE]})
    counted = sittings(ratings)
    assert_series_equal(counted, pd.Series([1, 2], index=[5, 7]), check_names=False)
    ratings["timestamp"] = ratings["timestamp"].clip(upper=100 + PAUSE)
    assert sittings(ratings).tolist() == [1, 1]


def test_parts_tell_what_they_hold_and_who_is_new_in_them(plain_tables: Tables) -> None:
    test, known = np.array([5, 7]), np.array([0, 1, 2, 3, 4])
    row = part_table(plain_tables.ratings, {"test": (test, known)}).loc["test"]
    # user 4 rated film 5, which user 2 rated before; user 6 and film 8 are new
    assert row.to_dict() == {
        "ratings": 2,
        "mean rating": 3.5,
        "users": 2,
        "films": 2,
        "rows of unknown users": 0.5,
        "rows of unknown films": 0.5,
    }


def test_neighbours_point_the_same_way_and_are_not_oneself() -> None:
    vectors = np.array([[1.0, 0.0], [5.0, 0.5], [0.0, 2.0], [-1.0, 0.0]])
    near = neighbours(vectors, ["a", "b", "c", "d"], [0, 2], k=2)
    assert near.index.tolist() == ["a", "c"]
    assert near.loc["a"].tolist() == ["b (1.00)", "c (0.00)"]
    assert near.loc["c", 1] == "b (0.10)"
    assert neighbours(vectors[:2], ["a", "b"], [0], k=5).shape == (1, 1)
    two = neighbours(vectors, ["a", "a", "c", "d"], [0, 1], k=1)  # two films of one title
    assert two.index.tolist() == ["a", "a"]


def test_kinship_is_the_share_of_neighbours_with_something_in_common() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    by_direction = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    across = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    assert kinship(vectors, by_direction, k=1) == 1
    assert kinship(vectors, across, k=1) == 0
    assert kinship(vectors, across, k=9) == pytest.approx(1 / 3)  # all others: one of three


def test_joined_table_has_the_documented_columns_and_the_inner_join(small_tables, small_features):
    joined = joined_table(small_tables, small_features)
    assert joined.columns.tolist() == [
        "UserID",
        "MovieID",
        "ratings",
        "Gender",
        "Age",
        "JobID",
        "Title",
        "Genres",
    ]
    expected = small_tables.ratings.merge(small_tables.users, on="user_id")
    assert joined["UserID"].tolist() == small_tables.ratings["user_id"].tolist()
    assert joined["ratings"].tolist() == small_tables.ratings["rating"].tolist()
    assert joined["Gender"].tolist() == (expected["gender"] == "M").astype(int).tolist()
    assert joined["JobID"].tolist() == expected["occupation"].tolist()
    assert [AGE_BANDS[band] for band in joined["Age"]] == expected["age"].tolist()
    first = small_tables.movies.set_index("movie_id").loc[joined["MovieID"].iloc[0]]
    words = [small_features.words[i] for i in joined["Title"].iloc[0] if i]
    assert words == title_words(first["title"])
    assert len(joined["Genres"].iloc[0]) == small_features.sizes.genre_slots


def test_joined_table_of_some_rows(plain_tables):
    joined = joined_table(plain_tables, Features.fit(plain_tables), slice(2, 4))
    assert joined.columns.tolist() == ["UserID", "MovieID", "ratings", "Title", "Genres"]
    pd.testing.assert_index_equal(joined.index, pd.RangeIndex(2, 4))
    assert joined["MovieID"].tolist() == [3, 5]
    assert type(joined["Title"].iloc[0]) is type(joined["Genres"].iloc[0]) is list


def test_what_two_descriptions_have_in_common_does_not_depend_on_their_axes():
    rng = np.random.default_rng(0)
    own, other = rng.standard_normal((2, 2000, 3))
    mixed = np.hstack([own @ rng.standard_normal((3, 3)) + 5, other[:, :1]])
    np.testing.assert_allclose(in_common(own, mixed), 1)
    assert in_common(own, other).max() < 0.1
    half = own + np.array([0, 0, 10]) * rng.standard_normal((2000, 1))
    assert in_common(own, half)[-1] == pytest.approx(0.1, abs=0.05)
