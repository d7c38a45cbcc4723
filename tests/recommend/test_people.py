"""What people tell of themselves as numbers, against a look-up by hand."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.data.attributes import user_attributes
from movierec.data.features import Features
from movierec.data.tables import AGE_BANDS
from movierec.errors import InputError
from movierec.recommend.people import told_attributes

SCALE = 0.3  # an attribute that somebody has
GENDERS, JOBS = 2, 4


def by_hand(users, gender, age, occupation) -> np.ndarray:
    """The attribute of one's own group at `SCALE`; of what is not told the shares of all users."""
    bands = [max(n for n, first in enumerate(AGE_BANDS) if first <= a) for a in users["age"]]
    columns = [
        ([["F", "M"].index(g) for g in users["gender"]], GENDERS, gender),
        (bands, len(AGE_BANDS), age),
        (users["occupation"].tolist(), JOBS, occupation),
    ]
    row = []
    for everybody, size, own in columns:
        for code in range(size):
            share = sum(other == code for other in everybody) / len(everybody)
            row.append(SCALE * (share if own is None else float(code == own)))
    return np.array(row)


@pytest.mark.parametrize("gender", [None, "F", "M"])
@pytest.mark.parametrize(
    ("age", "band"), [(None, None), (17, 0), (18, 1), (24.9, 1), (25, 2), (np.int64(99), 6)]
)
@pytest.mark.parametrize("occupation", [None, 0, 3])
def test_what_is_told_counts_and_the_rest_is_that_of_all(drawn_run, gender, age, band, occupation):
    found = told_attributes(drawn_run.features, gender, age, occupation)
    code = None if gender is None else ["F", "M"].index(gender)
    expected = by_hand(drawn_run.tables.users, code, band, occupation)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)


def test_each_thing_can_be_told_alone(drawn_run):
    features, users = drawn_run.features, drawn_run.tables.users
    assert told_attributes(features) == pytest.approx(by_hand(users, None, None, None))
    assert told_attributes(features, gender="M") == pytest.approx(by_hand(users, 1, None, None))
    assert told_attributes(features, age=50) == pytest.approx(by_hand(users, None, 5, None))
    found = told_attributes(features, occupation=np.int64(2))
    assert found == pytest.approx(by_hand(users, None, None, 2))


def test_whole_numbers_may_be_floats(drawn_run):
    found = told_attributes(drawn_run.features, age=25.0, occupation=2.0)
    assert np.array_equal(found, told_attributes(drawn_run.features, age=25, occupation=2))


def test_ages_below_the_first_band_count_as_the_youngest(drawn_run):
    youngest = told_attributes(drawn_run.features, age=1)
    assert np.array_equal(told_attributes(drawn_run.features, age=0.5), youngest)
    oldest = told_attributes(drawn_run.features, age=56)
    assert np.array_equal(told_attributes(drawn_run.features, age=129.5), oldest)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"gender": "f"}, "got gender 'f'; expected one of F, M"),
        ({"gender": ""}, "got gender ''; expected one of F, M"),
        ({"age": 0}, "got age 0; expected a number of years"),
        ({"age": 130}, "got age 130; expected a number of years"),
        ({"age": float("nan")}, "got age nan; expected a number of years"),
        ({"age": "25"}, "got age '25'; expected a number of years"),
        ({"occupation": -1}, "got occupation -1; expected a code, 0 to 3"),
        ({"occupation": 4}, "got occupation 4; expected a code, 0 to 3"),
        ({"occupation": 1.5}, "got occupation 1.5; expected a code, 0 to 3"),
        ({"occupation": "1"}, "got occupation '1'; expected a code, 0 to 3"),
    ],
)
def test_what_the_data_has_no_room_for_is_refused(drawn_run, told, expected):
    with pytest.raises(InputError, match=f"^{expected}$"):
        told_attributes(drawn_run.features, **told)


def test_data_that_knows_nobody_has_no_room_for_what_is_told(plain_tables):
    features = Features.fit(plain_tables)
    for empty in (told_attributes(features), user_attributes(features)[2]):
        assert empty.shape == (0,)
        assert empty.dtype == np.float32
    for told in ({"gender": "F"}, {"age": 25}, {"occupation": 0}):
        with pytest.raises(InputError, match=f"got {next(iter(told))}, but the data has no demo"):
            told_attributes(features, **told)


def test_users_of_the_data_have_what_they_told(drawn_run):
    users = drawn_run.tables.users
    for row, user in enumerate(users.itertuples(), 1):
        band = max(n for n, first in enumerate(AGE_BANDS) if first <= user.age)
        code = ["F", "M"].index(user.gender)
        found = user_attributes(drawn_run.features)[row]
        assert found == pytest.approx(by_hand(users, code, band, user.occupation))
        assert found.dtype == np.float32
