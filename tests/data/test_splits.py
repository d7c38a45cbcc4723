"""Splits cut the rows into parts that cover all and share none, as each name promises."""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

from movierec.data.splits import HOLDOUTS, holdout_record, split, validation_split
from movierec.errors import InputError


def ratings_at(timestamps: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": np.array(timestamps, dtype=np.int64)})


@pytest.mark.parametrize("holdout", HOLDOUTS)
def test_parts_cover_all_rows_once(small_tables, holdout):
    train, test = split(small_tables.ratings, holdout)
    everything = np.concatenate([train, test])
    assert np.array_equal(np.sort(everything), np.arange(len(small_tables.ratings)))
    assert train.dtype == test.dtype == np.int64


def test_random_holdout_is_the_first_part_of_a_seeded_permutation(small_tables):
    order = np.random.default_rng(5).permutation(12_000)
    train, test = split(small_tables.ratings, "random", 0.25, seed=5)
    assert np.array_equal(test, order[:3000])
    assert np.array_equal(train, order[3000:])


def test_random_holdout_changes_with_its_seed(small_tables):
    first, second = (split(small_tables.ratings, seed=seed)[1] for seed in (0, 1))
    assert not np.array_equal(np.sort(first), np.sort(second))


def test_the_seeds_are_0_where_none_is_given(small_tables):
    """Figures are compared across machines by their defaults, so these are part of the contract."""
    order = np.random.default_rng(0).permutation(12_000)
    assert np.array_equal(split(small_tables.ratings)[1], order[:1200])
    rows = np.arange(100)
    assert np.array_equal(validation_split(rows)[1], np.random.default_rng(0).permutation(rows)[:5])


@pytest.mark.parametrize("rows", [7, 1000, 12_000])
def test_origin_holdout_is_that_of_scikit_learn(small_tables, rows):
    train, test = split(small_tables.ratings.head(rows), "origin")
    expected = train_test_split(np.arange(rows), test_size=0.2, random_state=0)
    assert np.array_equal(train, expected[0])
    assert np.array_equal(test, expected[1])


def test_origin_holdout_asks_neither_fraction_nor_seed(small_tables):
    expected = split(small_tables.ratings, "origin")
    found = split(small_tables.ratings, "origin", fraction=0.0, seed=9)
    assert all(map(np.array_equal, found, expected))


def test_temporal_holdout_tests_the_latest(small_tables):
    train, test = split(small_tables.ratings, "temporal", 0.2)
    time = small_tables.ratings["timestamp"].to_numpy()
    assert len(test) == 2400
    assert time[train].max() <= time[test].min()


def test_temporal_holdout_takes_ties_in_file_order():
    timestamps = np.random.default_rng(0).integers(0, 5, 1000).tolist()
    train, test = split(ratings_at(timestamps), "temporal", 0.3)
    in_order = sorted(range(1000), key=lambda row: (timestamps[row], row))
    assert sorted(train) == sorted(in_order[:700])
    assert sorted(test) == sorted(in_order[700:])  # the last of equal ones counts as the latest


def last_of(users: list[int], timestamps: list[int]) -> list[int]:
    ratings = ratings_at(timestamps).assign(user_id=users)
    train, test = split(ratings, "last")
    assert sorted([*train, *test]) == list(range(len(users)))
    return sorted(test.tolist())


def test_last_holdout_tests_the_latest_rating_of_each_user():
    assert last_of([2, 1, 2, 1, 2], [5, 3, 9, 1, 7]) == [1, 2]


def test_last_holdout_takes_ties_in_file_order():
    assert last_of([1, 2, 1, 1, 2], [4, 1, 4, 2, 1]) == [2, 4]


def test_last_holdout_leaves_a_single_rating_to_its_user():
    assert last_of([3, 1, 1, 2], [9, 1, 2, 5]) == [2]


def test_last_holdout_takes_each_user_once_in_a_whole_world(small_tables):
    ratings = small_tables.ratings
    train, test = split(ratings, "last")
    assert ratings["user_id"].iloc[test].is_unique
    latest = ratings.groupby("user_id")["timestamp"].max()
    held = ratings.iloc[test].set_index("user_id")["timestamp"]
    assert (held == latest[held.index]).all()
    assert set(ratings["user_id"].iloc[train]) == set(ratings["user_id"])


def test_last_holdout_needs_a_user_with_two_ratings():
    with pytest.raises(InputError, match="no user has two ratings"):
        last_of([1, 2, 3], [1, 2, 3])


def test_given_rows_are_held_out():
    train, test = split(ratings_at([1] * 6), [4, 0])
    assert train.tolist() == [1, 2, 3, 5]
    assert test.tolist() == [4, 0]
    assert train.dtype == test.dtype == np.int64


def test_the_only_row_is_not_held_out():
    with pytest.raises(InputError, match="got 1 of 1 rows"):
        split(ratings_at([1]), [0])


@pytest.mark.parametrize(
    ("holdout", "told"),
    [
        ([0, 6], "got row 6 to hold out; expected numbers from 0 to 5"),
        ([-1], "got row -1"),
        ([2, 3, 2], "row 2 is to be held out twice"),
        ([], "expected a list of whole numbers"),
        (np.empty(0, dtype=np.int64), "got 0 of 6 rows"),
        (range(6), "got 6 of 6 rows"),
        ([0.5], "of type float64"),
        ([True] * 6, "of type bool"),
        ([[1], [2]], r"shape \(2, 1\)"),
    ],
)
def test_given_rows_that_cannot_be_held_out_are_refused(holdout, told):
    with pytest.raises(InputError, match=told):
        split(ratings_at([1] * 6), holdout)


def test_one_row_and_all_rows_but_one_can_be_held_out():
    ratings = pd.DataFrame({"user_id": [1, 2, 3], "timestamp": [1, 2, 3]})
    for rows in ([2], [0, 1]):
        train, test = split(ratings, rows)
        assert test.tolist() == rows
        assert sorted([*train, *test]) == [0, 1, 2]


def test_checksum_of_given_rows_is_of_their_numbers_whatever_their_type():
    """So that a run of another machine, or another year, can be told to have the same rows."""
    expected = hashlib.sha256(struct.pack("<3q", 0, 5, 2**40)).hexdigest()
    for kind in (np.int64, np.uint64, ">i8"):
        told = holdout_record([5], 0, np.array([5, 0, 2**40], kind), 10)
        assert told["holdout_sha256"] == expected


def test_a_record_tells_given_rows_apart_by_a_checksum():
    first, order, other = (
        holdout_record(rows, 0, np.array(rows), 10) for rows in ([1, 2], [2, 1], [1, 3])
    )
    assert first["holdout"] == "given"
    assert first["holdout_fraction"] == 0.2
    assert first["holdout_sha256"] == order["holdout_sha256"] != other["holdout_sha256"]


def test_a_record_has_a_seed_where_one_was_used():
    assert holdout_record("random", 3, np.array([1]), 10)["holdout_seed"] == 3
    assert holdout_record("last", 3, np.array([1]), 10)["holdout_seed"] is None
    assert holdout_record("last", 3, np.array([1]), 10)["holdout_sha256"] is None
    for holdout in ("random", "last"):
        assert holdout_record(holdout, 3, np.array([1]), 10)["holdout"] == holdout


def test_no_holdout_trains_on_everything(small_tables):
    train, test = split(small_tables.ratings, "none", fraction=0.5)
    assert np.array_equal(train, np.arange(12_000))
    assert len(test) == 0


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
@pytest.mark.parametrize("holdout", ["random", "temporal"])
def test_fraction_out_of_range_is_refused(small_tables, holdout, fraction):
    with pytest.raises(InputError, match=rf"holdout fraction of {fraction}; expected"):
        split(small_tables.ratings, holdout, fraction)


@pytest.mark.parametrize("holdout", ["random", "temporal"])
def test_holdout_of_no_row_is_refused(holdout):
    with pytest.raises(InputError, match="leaves 0 test rows"):
        split(ratings_at([1, 2, 3]), holdout, 0.1)


def test_one_row_on_each_side_is_enough():
    train, test = split(ratings_at([1, 2]), "temporal", 0.5)
    assert (train.tolist(), test.tolist()) == ([0], [1])


def test_origin_holdout_of_one_row_is_refused():
    with pytest.raises(InputError, match=r"leaves 1 test rows; expected at least one row on each"):
        split(ratings_at([1]), "origin")


def test_seed_below_0_is_refused():
    with pytest.raises(InputError, match="got holdout seed -1; expected 0 or more"):
        split(ratings_at([1, 2, 3]), seed=-1)
    with pytest.raises(InputError, match="got seed -1; expected 0 or more"):
        validation_split(np.arange(10), seed=-1)


def test_unknown_holdout_lists_the_known_ones(small_tables):
    with pytest.raises(InputError, match="'leave-one-out'; expected one of random, origin, temp"):
        split(small_tables.ratings, "leave-one-out")


def test_validation_rows_come_out_of_the_training_rows():
    rows = np.arange(100, 200)
    train, validation = validation_split(rows, 0.05, seed=1)
    assert len(validation) == 5
    assert np.array_equal(np.sort(np.concatenate([train, validation])), rows)
    again = validation_split(rows, 0.05, seed=1)
    assert np.array_equal(validation, again[1])
    assert not np.array_equal(validation, validation_split(rows, 0.05, seed=2)[1])


def test_validation_part_may_be_empty():
    train, validation = validation_split(np.arange(10), 0.0)
    assert sorted(train) == list(range(10))
    assert len(validation) == 0


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan")])
def test_validation_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(InputError, match="validation fraction"):
        validation_split(np.arange(10), fraction)


def test_validation_of_no_rows_is_refused():
    with pytest.raises(InputError, match="0 rows are too few to train on"):
        validation_split(np.arange(0))
