"""A new visitor: which films they are asked about, and the file that they keep."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from movierec.data.attributes import attribute_counts
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.explorer.visitor import (
    LARGEST,
    Visitor,
    known_chance,
    offers,
    read_profile,
    write_profile,
)
from movierec.models.newcomers import SIZES, Newcomers
from movierec.recommend.recommender import Recommender
from movierec.runs import Run

ASKS = 8
POPULAR, OTHERS = 12, 48  # films: the popular ones all say the same of a person
TASTES = 4


@pytest.fixture
def rec(small_best: Run) -> Recommender:
    return small_best.recommender


@pytest.fixture(scope="module")
def gaussian() -> tuple[Recommender, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """A world in which the model of new users is true, and popular films say little.

    Returns:
        Its recommender, and of 200 further people the films that they know and their tastes.
    """
    rng = np.random.default_rng(4)
    films = POPULAR + OTHERS
    vectors = np.zeros((films + 1, TASTES + 1))
    vectors[1 : POPULAR + 1, 0] = 0.9
    vectors[POPULAR + 1 :, :TASTES] = rng.normal(0, 0.6, (OTHERS, TASTES))
    vectors[1:, TASTES] = 1  # times 3 stars
    chance = np.repeat([0.9, 0.6], [POPULAR, OTHERS])

    def people(n: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        tastes = np.column_stack([rng.normal(0, 0.7, (n, TASTES)), np.full(n, 3.0)])
        return rng.random((n, films)) < chance, tastes

    knows, tastes = people(300)
    user, film = np.nonzero(knows)
    stars = np.clip(np.einsum("nd,nd->n", tastes[user], vectors[film + 1]), 1, 5)
    tables = Tables(
        pd.DataFrame({"user_id": np.arange(1, 301)}),
        pd.DataFrame({"movie_id": np.arange(1, films + 1)}).assign(
            title=lambda frame: [f"Film {n} (1990)" for n in frame["movie_id"]],
            genres="Drama",
            year=pd.array([1990] * films, dtype="Int64"),
        ),
        pd.DataFrame({"user_id": user + 1, "movie_id": film + 1, "timestamp": 0}).assign(
            rating=np.clip(np.round(2 * stars) / 2, 0.5, 5).astype(np.float32)
        ),
        name="gaussian",
    )
    features = Features.fit(tables)
    zeros = np.zeros((films + 1, 2), np.float32)
    covariance = np.diag([0.49] * TASTES + [0]).astype(np.float32)
    newcomers = Newcomers(
        center=np.array([0] * TASTES + [3], np.float32),
        tower=np.zeros((films + 3, TASTES + 1), np.float32),
        covariance=np.tile(covariance, (len(SIZES), 1, 1)),
        noise=np.array([0.09], np.float32),
        user_rest=np.zeros((301, 2), np.float32),
        movie_rest=zeros,
        movie_center=np.zeros(TASTES + 1, np.float32),
        movie_tower=np.zeros((attribute_counts(features)[1], TASTES + 1), np.float32),
    )
    users = np.concatenate([np.zeros((1, TASTES + 1)), tastes]).astype(np.float32)
    rec = Recommender(tables, features, users, vectors.astype(np.float32), newcomers=newcomers)
    return rec, *people(200)


def error_after(gaussian: Any, order: str) -> float:
    """How far the vectors of people are from the truth once they answered, in stars (RMSE)."""
    rec, knows, tastes = gaussian
    popular = np.argsort(-rec.rated_counts[1:], kind="stable") + 1
    squares = []
    for person, (known, taste) in enumerate(zip(knows, tastes, strict=True)):
        rng = np.random.default_rng(person)
        shuffled = rng.permutation(len(known)) + 1
        visitor = Visitor()
        for ask in range(ASKS):
            film = {"popular": popular[ask], "random": shuffled[ask]}.get(order)
            film = offers(rec, visitor, 1)[0] if film is None else int(film)
            if known[film - 1]:
                stars = rec.movie_vectors[film] @ taste + rng.normal(0, 0.3)
                visitor.rate(film, float(np.clip(stars, rec.lowest, rec.highest)))
            else:
                visitor.pass_over(film)
        guess = visitor.person(rec).vector[:-2]
        squares.append((rec.movie_vectors[1:] @ (guess - taste)) ** 2)
    return float(np.sqrt(np.mean(squares)))


def test_answers_to_offers_teach_more_than_answers_to_popular_or_random_films(gaussian):
    offered = error_after(gaussian, "offers")
    assert offered < 0.8 * error_after(gaussian, "popular")
    assert offered < 0.8 * error_after(gaussian, "random")


def test_people_mostly_know_what_they_are_asked_about(gaussian):
    """Of two films that say the same, the better known one is asked about."""
    rec, *_ = gaussian
    first = offers(rec, Visitor(), 1)[0]
    double = rec.movie_vectors.copy()
    rare = int(np.argmin(rec.rated_counts[1:])) + 1
    double[rare] = double[first]
    twins = Recommender(rec.tables, rec.features, rec.user_vectors, double, rec.newcomers)
    asked = offers(twins, Visitor(), 10)
    assert first in asked
    assert rare not in asked[: asked.index(first) + 1]


def test_offers_are_no_film_that_was_answered_or_is_shown(rec: Recommender):
    visitor = Visitor()
    first = offers(rec, visitor, 4)
    visitor.rate(first[0], 4)
    visitor.pass_over(first[1])
    more = offers(rec, visitor, 4, shown=first[2:])
    assert len(set(more)) == 4
    assert not set(more) & set(first)


def test_offers_end_with_the_films(rec: Recommender):
    films = rec.tables.movies["movie_id"].tolist()
    visitor = Visitor(dict.fromkeys(films[:-3], 3.0))
    assert set(offers(rec, visitor, 6)) == set(films[-3:])
    visitor.ratings |= dict.fromkeys(films[-3:], 3.0)
    assert offers(rec, visitor, 6) == []


def test_what_is_not_known_lowers_the_chance_of_what_goes_with_it(rec: Recommender):
    movies, none = rec.features.movies, np.zeros(0, np.int32)
    film = int(np.argmax(rec.rated_counts))
    share = rec.rated_counts / len(rec.features.users.used)
    np.testing.assert_allclose(known_chance(rec, none, none), share, atol=1e-12)
    known = known_chance(rec, np.array([film]), none)
    unknown = known_chance(rec, none, np.array([film]))
    assert unknown[film] < share[film] < known[film]
    # somebody who knows no film that is often rated knows fewer films than others
    often = np.argsort(-rec.rated_counts)[:10]
    assert known_chance(rec, none, often)[movies.used].sum() < share[movies.used].sum()


def test_offers_of_a_run_without_newcomers_are_refused(small_tables, rec: Recommender):
    bare = Recommender(small_tables, rec.features, rec.user_vectors, rec.movie_vectors)
    with pytest.raises(InputError, match="newcomers"):
        offers(bare, Visitor())


def test_a_rating_takes_the_place_of_dont_know_it_and_back(rec: Recommender):
    visitor = Visitor()
    visitor.pass_over(5)
    visitor.rate(5, 2)
    assert (visitor.ratings, visitor.unknown) == ({5: 2}, [])
    visitor.pass_over(5)
    assert (visitor.ratings, visitor.unknown) == ({}, [5])
    visitor.take_back(5)
    assert (visitor.ratings, visitor.unknown) == ({}, [])


# --- the file ------------------------------------------------------------------------------------


def test_a_profile_comes_back_as_it_was_kept(rec: Recommender):
    films = rec.tables.movies["movie_id"].tolist()
    visitor = Visitor({films[3]: 4.0, films[0]: 1.0}, [films[7]], "F", 35, 4)
    back, left_out = read_profile(rec, write_profile(rec, visitor).encode())
    assert (back, left_out) == (visitor, 0)
    assert list(back.ratings) == [films[3], films[0]]
    nobody = Visitor()
    assert read_profile(rec, write_profile(rec, nobody).encode()) == (nobody, 0)


def profile(rec: Recommender, **changes: Any) -> bytes:
    film = rec.tables.movies.iloc[0]
    rating = {"movie_id": int(film["movie_id"]), "title": film["title"], "stars": 4}
    content = {"format": "movierec profile", "version": 1, "ratings": [rating]}
    return json.dumps(content | changes).encode()


def test_films_that_other_data_calls_otherwise_are_left_out_and_counted(rec: Recommender):
    film, other = rec.tables.movies["movie_id"][0], int(rec.tables.movies["movie_id"][1])
    ratings = json.loads(profile(rec))["ratings"]
    ratings += [
        {"movie_id": other, "title": "Quite another film", "stars": 1},
        {"movie_id": 2**31 - 1, "title": "Nowhere", "stars": 1},
    ]
    visitor, left_out = read_profile(rec, profile(rec, ratings=ratings, unknown=[2**31 - 1]))
    assert (visitor.ratings, visitor.unknown, left_out) == ({film: 4.0}, [], 2)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff\xfe\x00", "no JSON"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"format": NaN}', "no JSON"),
        (b" " * (LARGEST + 1), "at most"),
        (b"[]", "no profile of movierec"),
        (b'{"format": "\x1b[31m", "version": 1, "ratings": []}', "no JSON"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(rec: Recommender, content: bytes, fault: str):
    with pytest.raises(InputError, match=fault):
        read_profile(rec, content)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"version": 2}, "no profile of movierec"),
        ({"format": "<script>"}, "no profile of movierec"),
        ({"code": "import os"}, "no profile of movierec"),
        ({"ratings": [{"movie_id": 1.5, "title": "", "stars": 1}]}, "ratings 0 movie_id"),
        ({"ratings": [{"movie_id": -1, "title": "", "stars": 1}]}, "no profile of movierec"),
        ({"ratings": [{"movie_id": 10**400, "title": "", "stars": 1}]}, "no profile of movierec"),
        ({"ratings": [{"movie_id": 1, "title": "Elsewhere", "stars": 1}]}, "none of the 1 films"),
        ({"ratings": "all"}, "no profile of movierec"),
        ({"unknown": [True]}, "no profile of movierec"),
        ({"gender": "x"}, "no profile of movierec"),
        ({"age": 0}, "no profile of movierec"),
        ({"occupation": 500}, "occupation 500"),
    ],
)
def test_a_profile_with_what_cannot_be_is_refused(rec: Recommender, changes: dict, fault: str):
    with pytest.raises(InputError, match=fault):
        read_profile(rec, profile(rec, **changes))


def test_stars_that_the_data_does_not_have_are_refused(rec: Recommender):
    ratings = json.loads(profile(rec))["ratings"]
    ratings[0]["stars"] = 9
    with pytest.raises(InputError, match="rating of 9"):
        read_profile(rec, profile(rec, ratings=ratings))


def test_stars_between_those_of_the_data_are_refused(rec: Recommender):
    ratings = json.loads(profile(rec))["ratings"]
    ratings[0]["stars"] = 3.7
    with pytest.raises(InputError, match=r"rating of 3\.7; expected one of \[1\.0, 2\.0"):
        read_profile(rec, profile(rec, ratings=ratings))


def test_whole_numbers_that_are_written_with_a_point_become_integers(rec: Recommender):
    ratings = json.loads(profile(rec))["ratings"]
    ratings[0]["movie_id"] = float(ratings[0]["movie_id"])
    other = float(rec.tables.movies["movie_id"][1])
    content = profile(rec, ratings=ratings, unknown=[other], age=25.0, occupation=1.0)
    visitor, _ = read_profile(rec, content)
    told = [*visitor.ratings, *visitor.unknown, visitor.age, visitor.occupation]
    assert [type(number) for number in told] == [int] * 4


def test_the_message_about_a_hostile_file_is_short_and_plain(rec: Recommender):
    with pytest.raises(InputError) as caught:
        read_profile(rec, profile(rec, gender="\x1b[31m" + "x" * 5000))
    assert len(str(caught.value)) < 400
    assert "\x1b" not in str(caught.value)
