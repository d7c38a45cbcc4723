"""The explorer's questions: what comes back is what the recommender says, and it keeps nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer.service import QUESTIONS, Service, answer, picture
from movierec.posters.films import Details


def ids_of(told: Any) -> list[int]:
    return [film.movie_id for film in told.films]


@pytest.fixture
def five(service: Service) -> dict[int, float]:
    films = service.rec.tables.movies["movie_id"].tolist()
    return dict(zip(films[:25:5], (5.0, 4.0, 1.0, 3.0, 5.0), strict=True))


def test_every_question_has_an_answer_that_the_caller_can_check(service: Service, five):
    film = next(iter(five))
    asked: dict[str, dict[str, Any]] = dict.fromkeys(QUESTIONS, {})
    asked |= dict.fromkeys(("similar", "also-liked", "people-who-like"), {"movie_id": film})
    asked |= {"explain": {"movie_id": film, "ratings": five}, "find": {"text": "the"}}
    asked |= {"films": {"movie_ids": [film]}, "posters": {"movie_ids": [film]}}
    asked |= {"for-group": {"people": [service.active]}, "read-file": {"text": "title,stars\nx,3"}}
    for name, question in asked.items():
        said = answer(service, name, question)
        assert type(said).model_validate_json(said.model_dump_json()) == said


def test_a_list_is_the_recommender_s_with_stars_deviations_and_reasons(service: Service, five):
    rec = service.rec
    said = answer(service, "for-new-user", {"ratings": five, "gender": "F", "k": 8, "ask": 3})
    person = rec.new_user(five, "F")
    expected = rec.for_user(person, 8)
    assert ids_of(said) == expected["movie_id"].tolist()
    stars = [film.predicted for film in said.films]
    np.testing.assert_allclose(stars, expected["predicted"], atol=0.006)
    assert all(film.std > 0 for film in said.films)
    words = rec.because_each(person, expected["movie_id"])
    for film, because in zip(said.films, words, strict=True):
        named = [*film.why.speaks, *([film.why.though] if film.why.though else [])]
        assert all(five[one.movie_id] == one.stars for one in named)
        titles = [service.rec.title(one.movie_id) for one in named]
        assert all(title in because for title in titles)
        assert bool(named) == bool(because)
    assert not set(five) & {film.movie_id for film in said.ask}
    assert 0 < said.known < 1
    assert all(film.adds > 0 for film in said.ask)


def test_who_is_better_known_has_narrower_predictions(service: Service):
    films = service.rec.tables.movies["movie_id"].tolist()
    few, many = (dict.fromkeys(films[:n], 4.0) for n in (2, 60))
    film = films[70]
    deviations = [
        answer(service, "explain", {"movie_id": film, "ratings": told}).film.std
        for told in ({}, few, many)
    ]
    assert deviations[0] >= deviations[1] > deviations[2] > 0


def test_conditions_hold_and_an_empty_list_says_which_to_drop(service: Service):
    settings = {"genres": ["Comedy"], "first_year": 1980, "last_year": 1990, "k": 5}
    for film in answer(service, "for-new-user", settings).films:
        assert "Comedy" in film.genres
        assert 1980 <= film.year <= 1990
    empty = answer(service, "for-new-user", {"genres": ["Comedy"], "first_year": 2990})
    assert (empty.films, empty.loosen) == ([], ["years"])
    first = ids_of(answer(service, "for-new-user", {}))[0]
    assert first not in ids_of(answer(service, "for-new-user", {"deny": [first]}))


def test_a_list_for_a_group_may_be_drawn_and_drawn_again(service: Service):
    drawn = [
        answer(service, "for-group", {"people": [service.active], "temperature": 3, "seed": seed})
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_nobody_of_a_group_gets_less_than_was_asked_for(service: Service, five):
    people = [{"ratings": five}, service.active]
    said = answer(service, "for-group", {"people": people, "least": 3.5, "k": 20})
    assert said.films
    assert all(min(film.each) >= 3.495 for film in said.films)
    assert all(film.predicted == min(film.each) for film in said.films)
    none = answer(service, "for-group", {"people": people, "least": 10})
    assert (none.films, none.loosen) == ([], ["least"])


def test_a_person_of_the_data_comes_with_their_history(service: Service):
    user = int(service.rec.tables.users["user_id"].iloc[4])
    said = answer(service, "for-user", {"user_id": user})
    own = service.rec.tables.ratings.query("user_id == @user")
    assert (said.who.user_id, said.rated) == (user, len(own))
    assert said.best[0].stars == own["rating"].max()
    assert not set(ids_of(said)) & set(own["movie_id"])


@pytest.mark.parametrize("known", [False, True])
def test_reasons_add_up_to_the_predicted_stars(service: Service, five, known: bool):
    film = service.rec.tables.movies["movie_id"].tolist()[40]
    who = {"user_id": service.active} if known else {"ratings": five}
    said = answer(service, "explain", {"movie_id": film, **who})
    total = said.start + said.rest + sum(one.adds for one in said.reasons)
    clipped = min(max(total, service.rec.lowest), service.rec.highest)
    assert clipped == pytest.approx(said.film.predicted, abs=0.01)
    assert sum(abs(one.share) for one in said.reasons) == pytest.approx(1, abs=1e-3)


def test_films_are_found_and_the_map_has_all_that_are_rated(service: Service):
    film = service.rec.tables.movies.iloc[7]
    assert int(film["movie_id"]) in ids_of(answer(service, "find", {"text": film["title"]}))
    assert answer(service, "find", {"text": "  "}).films == []
    drawn = answer(service, "map", {})
    assert set(drawn.movie_ids) == set(service.rec.tables.ratings["movie_id"])
    place = dict(zip(drawn.movie_ids, zip(drawn.x, drawn.y, strict=True), strict=True))
    assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in place.values())
    apart = np.linalg.norm(
        np.array(list(place.values()))[:, None] - np.array(list(place.values())), axis=2
    )
    near = [
        np.hypot(*np.subtract(place[one], place[int(other)]))
        for one in place
        for other in service.rec.similar(one, 3, among=drawn.movie_ids)["movie_id"]
    ]
    assert np.mean(near) < 0.6 * apart[apart > 0].mean()


def test_the_map_is_filled_and_not_stretched_by_a_few_films(service: Service):
    drawn = answer(service, "map", {})
    place = np.column_stack([drawn.x, drawn.y]) / [drawn.width, drawn.height]
    away = np.linalg.norm(place - place.mean(axis=0), axis=1)
    assert np.median(away) > 0.25 * away.max()


def test_a_history_from_elsewhere_is_matched_and_what_is_not_sure_is_told(service: Service):
    films = service.rec.tables.movies.iloc[:3]
    lines = [f'"{spoken_title(f.title)}",{f.year},4' for f in films.itertuples()]
    lines += ["Nowhere to be Found at All,1999,2"]
    said = answer(service, "read-file", {"text": "title,year,stars\n" + "\n".join(lines)})
    assert said.kind == "history"
    told = [one.movie_id for one in said.ratings]
    told += [film.movie_id for one in said.unsure for film in one.films]
    assert set(films["movie_id"]) <= set(told)
    assert (said.unsure[-1].title, said.unsure[-1].films) == ("Nowhere to be Found at All", [])


@pytest.mark.parametrize(
    ("name", "question", "fault"),
    [
        ("nothing", {}, "expected one of about"),
        ("for-new-user", {"ratings": {"1": "five"}}, "ratings"),
        ("for-new-user", {"ratings": {"1": float("nan")}}, "ratings"),
        ("for-new-user", {"ratings": {"99999": 5}}, "unknown movie"),
        ("for-new-user", {"ratings": {"1": 0}}, "rating of 0"),
        ("for-new-user", {"ratings": {str(n): 1 for n in range(2001)}}, "2000"),
        ("for-new-user", {"k": 10**9}, "k: "),
        ("for-new-user", {"genres": ["\x1b[31m"]}, "unknown genre"),
        ("for-new-user", {"unknown": [99999]}, "unknown movie"),
        ("for-new-user", {"first_year": 1990, "last_year": 1980}, "lower number first"),
        ("for-new-user", {"code": "1"}, "code: "),
        ("for-user", {"user_id": 99999}, "unknown user"),
        ("for-user", {"user_id": 10**30}, "user_id"),
        ("for-group", {"people": []}, "people"),
        ("for-group", {"people": [3] * 9}, "people"),
        ("similar", {"movie_id": -1}, "movie_id"),
        ("films", {"movie_ids": [99999]}, "unknown movie"),
        ("posters", {"movie_ids": list(range(101))}, "movie_ids"),
        ("find", {"text": "x" * 201}, "text"),
        ("read-file", {"text": "no table"}, "first line"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(service: Service, name, question, fault):
    with pytest.raises(InputError, match=fault) as caught:
        answer(service, name, question)
    assert len(str(caught.value)) < 600


class Slow:
    """A provider of posters from whom nothing has come yet, but for one film."""

    attribution, language = "by somebody", "zh-CN"

    def __init__(self, there: int) -> None:
        self.there, self.asked = there, []

    def known(self, movie_id: int) -> Details | None:
        return Details("片名", "讲述", b"\xff\xd8\xff") if movie_id == self.there else None

    def ask(self, movie_ids: list[int]) -> None:
        self.asked += movie_ids


def test_posters_are_those_that_are_there_and_the_others_are_asked_for(service: Service):
    films = service.rec.tables.movies["movie_id"].tolist()[:3]
    slow = Slow(films[1])
    own = service._replace(posters=slow)
    said = answer(own, "posters", {"movie_ids": films})
    assert [(one.movie_id, one.title, one.poster) for one in said.known] == [
        (films[1], "片名", True)
    ]
    assert said.waiting == slow.asked == [films[0], films[2]]
    assert picture(own, films[1]) == b"\xff\xd8\xff"
    assert picture(own, films[0]) is None
    assert picture(service, films[1]) is None
    about = answer(own, "about", {})
    assert (about.posters, about.language) == ("by somebody", "zh-CN")
