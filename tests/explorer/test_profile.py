"""The file that a visitor keeps and brings back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from movierec.errors import InputError
from movierec.explorer.service import Service, answer, read_profile
from movierec.recommend.recommender import Recommender
from movierec.runs import Run


@pytest.fixture
def rec(small_best: Run) -> Recommender:
    return small_best.recommender


def profile(rec: Recommender, **changes: Any) -> bytes:
    film = rec.tables.movies.iloc[0]
    rating = {"movie_id": int(film["movie_id"]), "title": film["title"], "stars": 4}
    content = {"format": "movierec profile", "version": 1, "ratings": [rating]}
    return json.dumps(content | changes).encode()


def test_a_profile_comes_back_as_it_was_kept(service: Service):
    films = service.rec.tables.movies["movie_id"].tolist()
    told = {"ratings": {films[3]: 4.0, films[0]: 1.0}, "unknown": [films[7]], "gender": "F"}
    told |= {"age": 35, "occupation": 4}
    kept = answer(service, "profile", told).model_dump_json()
    back = answer(service, "read-file", {"text": kept}).model_dump()
    assert [(one["movie_id"], one["stars"]) for one in back["ratings"]] == [
        (films[3], 4.0),
        (films[0], 1.0),
    ]
    assert {name: back[name] for name in ("unknown", "gender", "age", "occupation")} == {
        name: told[name] for name in ("unknown", "gender", "age", "occupation")
    }
    assert (back["kind"], back["skipped"]) == ("profile", 0)


def test_films_that_other_data_calls_otherwise_are_left_out_and_counted(rec: Recommender):
    film, other = rec.tables.movies["movie_id"][0], int(rec.tables.movies["movie_id"][1])
    ratings = json.loads(profile(rec))["ratings"]
    ratings += [
        {"movie_id": other, "title": "Quite another film", "stars": 1},
        {"movie_id": 2**31 - 1, "title": "Nowhere", "stars": 1},
    ]
    told = read_profile(rec, profile(rec, ratings=ratings, unknown=[2**31 - 1]))
    assert [one.movie_id for one in told.ratings] == [film]
    assert (told.unknown, told.skipped) == ([], 2)


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", b"{", b"[" * 100_000, b'{"format": NaN}', b" ", b"[]"],
)
def test_a_file_that_is_no_profile_is_refused(rec: Recommender, content: bytes):
    with pytest.raises(InputError, match="no profile"):
        read_profile(rec, content)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 2}, "version"),
        ({"format": "<script>"}, "format"),
        ({"code": "import os"}, "code"),
        ({"ratings": [{"movie_id": 1.5, "title": "", "stars": 1}]}, r"ratings\.0\.movie_id"),
        ({"ratings": [{"movie_id": -1, "title": "", "stars": 1}]}, r"ratings\.0\.movie_id"),
        ({"ratings": [{"movie_id": 10**400, "title": "", "stars": 1}]}, "no profile"),
        ({"ratings": [{"movie_id": 1, "title": "Elsewhere", "stars": 1}]}, "none of the 1 films"),
        ({"ratings": [{"movie_id": 1, "title": "", "stars": 1, "x": 1}]}, r"ratings\.0\.x"),
        ({"ratings": "all"}, "ratings"),
        ({"unknown": [True]}, "unknown"),
        ({"gender": "\x1b[31m" + "x" * 5000}, "gender"),
        ({"age": 0}, "age"),
        ({"occupation": 500}, "occupation 500"),
    ],
)
def test_a_profile_with_what_cannot_be_is_refused(rec: Recommender, changes: dict, fault: str):
    with pytest.raises(InputError, match=fault) as caught:
        read_profile(rec, profile(rec, **changes))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("stars", [9, 3.7])
def test_stars_that_the_data_does_not_have_are_refused(rec: Recommender, stars: float):
    ratings = json.loads(profile(rec))["ratings"]
    ratings[0]["stars"] = stars
    with pytest.raises(InputError, match=f"rating of {stars:g}; expected one of"):
        read_profile(rec, profile(rec, ratings=ratings))
