"""What is said of the tables, on tables small enough to count by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from movierec.datasets import Tables
from movierec.describe import genre_flags, genre_lift, genres_together, sittings, user_groups
from movierec.simulate import Simulation


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


def test_nothing_is_said_of_users_of_whom_nothing_is_known(plain_tables: Tables) -> None:
    assert user_groups(plain_tables) == {}


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


def test_a_pause_longer_than_the_limit_begins_a_new_sitting() -> None:
    ratings = pd.DataFrame({"user_id": [7, 5, 7, 7], "timestamp": [100, 0, 40, 161]})
    counted = sittings(ratings, pause=60)
    assert_series_equal(counted, pd.Series([1, 2], index=[5, 7]), check_names=False)
    assert sittings(ratings, pause=61).tolist() == [1, 1]
