"""Groups of rows and what is said of them, against plain look-ups and cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS
from movierec.evaluation.evaluate import known_and_held_out
from movierec.evaluation.metrics import intervals
from movierec.lessons.slices import (
    BANDS,
    calibration,
    errors_by,
    preferred,
    row_groups,
    slices,
)
from movierec.runs import Run
from movierec.vectors import Rows


def test_groups_of_rows_are_those_of_plain_look_ups(drawn_run):
    train, held_out = known_and_held_out(drawn_run)
    groups = row_groups(drawn_run, train, held_out)
    rows = drawn_run.tables.ratings[drawn_run.part == "test"]
    users = drawn_run.tables.users.set_index("user_id")
    films = drawn_run.tables.movies.set_index("movie_id")
    assert groups.columns.tolist() == [
        "rating", "user_ratings", "film_ratings", "gender", "age", "genre",
    ]  # fmt: skip
    assert len(groups) == len(rows)
    for group, row in zip(groups.itertuples(), rows.itertuples(), strict=True):
        assert group.rating == row.rating
        person = users.loc[row.user_id]
        assert group.gender == person["gender"]
        band = max(n for n, first in enumerate(AGE_BANDS) if first <= person["age"])
        assert group.age == AGE_BAND_NAMES[band]
        names = films.loc[row.movie_id, "genres"]
        assert sorted(group.genre) == ([] if names.startswith("(") else names.split("|"))
    assert groups["age"].cat.ordered
    assert groups["age"].cat.categories.tolist() == list(AGE_BAND_NAMES)


def test_bands_of_ratings_hold_their_ends(drawn_run):
    """People and films with so many training ratings that each band has its first and its last."""
    counts = [0, 1, 10, 11, 50, 51, 200, 201, 1000, 1001]
    expected = [
        "0", "1–10", "1–10", "11–50", "11–50", "51–200", "51–200", "201–1000", "201–1000",
        "over 1000",
    ]  # fmt: skip
    place = np.arange(1, 11)
    repeated = np.repeat(place, counts)
    films = np.repeat(2 * place[::-1], counts[::-1])
    train = Rows(repeated, films, np.ones(len(repeated), np.float32))
    held_out = Rows(place, 2 * place, np.ones(10, np.float32))
    groups = row_groups(drawn_run, train, held_out)
    assert groups["user_ratings"].tolist() == expected
    assert groups["film_ratings"].tolist() == expected
    assert groups["film_ratings"].cat.categories.tolist() == list(BANDS)


def test_film_that_nobody_rated_in_training_is_in_the_lowest_band(drawn_run):
    """Whether or not others of higher number were rated."""
    one = np.array([1]), np.array([2]), np.ones(1, np.float32)
    held_out = Rows(np.array([1, 30]), np.array([2, 48]), np.ones(2, np.float32))
    groups = row_groups(drawn_run, Rows(*one), held_out)
    assert groups["user_ratings"].tolist() == groups["film_ratings"].tolist() == ["1–10", "0"]


def test_people_who_tell_nothing_are_not_grouped_by_it(drawn_run):
    run = Run(drawn_run.path, drawn_run.info)
    run.features.user_fields.clear()
    groups = row_groups(run, *known_and_held_out(run))
    assert groups.columns.tolist() == ["rating", "user_ratings", "film_ratings", "genre"]


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("rmse", [math.sqrt(2.5), 1, 2]), ("mae", [1.5, 1, 2]), ("bias", [0.5, -1, -2])],
)
def test_slices_by_hand(statistic, expected):
    group = pd.Series(["a", "b", "a", None])
    found = slices(group, [1, 3, 5, 2], {"x": [3, 2, 4, 5], "y": [1, 1, 5, 5]}, statistic)
    assert found.index.tolist() == ["a", "b"]
    assert found["rows"].tolist() == [2, 1]
    assert found.columns.tolist() == ["rows", "x", "y"]
    assert found["x"].tolist() == pytest.approx(expected[:2])
    assert found["y"]["b"] == expected[2]


def test_slices_put_a_row_into_each_of_its_groups():
    group = pd.Series([["war", "drama"], [], ["drama"]]).explode()
    found = slices(group, [1, 1, 1], {"x": [2, 9, 4]}, "mae")
    assert found["rows"].to_dict() == {"drama": 2, "war": 1}
    assert found["x"].to_dict() == {"drama": 2, "war": 1}


def test_slices_by_numbers_and_by_users():
    found = slices(pd.Series([4, 1, 4], dtype="float32"), [1, 1, 1], {"x": [2, 3, 4]}, "bias")
    assert found.index.tolist() == [1, 4]
    assert found["x"].tolist() == [2, 2]


def test_slices_keep_the_order_of_bands():
    group = pd.Series(pd.Categorical(["many", "few", "few"], ["few", "some", "many"], ordered=True))
    assert slices(group, [1, 1, 1], {"x": [1, 1, 1]}).index.tolist() == ["few", "many"]


def test_calibration_by_hand():
    found = calibration([1, 3, 5, 4], [2.0, 2.2, 4.25, 4.1], width=0.25)
    assert found["rows"].tolist() == [2, 1, 1]
    assert found["predicted"].tolist() == pytest.approx([2.1, 4.1, 4.25])
    assert found["given"].tolist() == [2, 4, 5]
    assert found["error"][0] == pytest.approx(1)
    assert found["error"].isna().tolist() == [False, True, True]
    pd.testing.assert_frame_equal(calibration([1, 3, 5, 4], [2.0, 2.2, 4.25, 4.1]), found)


def test_preferred_counts_pairs_of_a_user_that_differ_and_half_of_a_tie():
    users, stars = [1, 2, 1, 1, 2], [5, 3, 1, 1, 3]  # of all pairs only the first of user 1 differs
    right = preferred(
        users, stars, {"right": [4, 0, 2, 9, 0], "wrong": [1, 0, 2, 0, 0], "tie": [0] * 5}
    )
    assert right.to_dict() == {"right": 1, "wrong": 0, "tie": 0.5}
    assert preferred([1, 2], [1, 5], {"any": [1, 2]}).isna().all()


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_preferred_takes_each_users_rows_in_their_order(kind):
    """Against a loop; many rows, users mixed, and predictions of a type that knows no minus."""
    rng = np.random.default_rng(0)
    users, stars = rng.integers(1, 4, 300), rng.integers(1, 6, 300)
    predicted = rng.integers(0, 9, 300).astype(kind)
    points, last = [], {}
    for user, had, guess in zip(users.tolist(), stars.tolist(), predicted.tolist(), strict=True):
        if user in last and last[user][0] != had:
            step = guess - last[user][1]
            points.append(0.5 if step == 0 else float((step > 0) == (had > last[user][0])))
        last[user] = had, guess
    found = preferred(users, stars, {"any": predicted})
    assert found["any"] == pytest.approx(np.mean(points))


def test_errors_by_film_add_up_to_those_of_all_rows():
    film, given = np.array([7, 7, 9]), np.array([4.0, 2.0, 5.0])
    found = errors_by(film, given, {"three": np.full(3, 3.0)})["three"]
    assert found.index.tolist() == [7, 9]
    assert found["rows"].tolist() == [2, 1]
    assert found["squared_error"].tolist() == [2, 4]
    assert found["absolute_error"].tolist() == [2, 2]
    assert intervals(found).loc["mse", "value"] == pytest.approx(2)


def test_parts_of_equally_many_rows():
    error, std = np.array([0.0, 1, 0, -3]), np.array([0.4, 2.0, 0.3, 1.0])
    found = calibration(error**2, std**2, parts=2)
    assert found["given"].tolist() == pytest.approx([0, (1 + 9) / 2])
    assert found["predicted"].tolist() == pytest.approx([(0.16 + 0.09) / 2, (4 + 1) / 2])
    assert found["rows"].tolist() == [2, 2]
