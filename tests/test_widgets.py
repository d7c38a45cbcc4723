"""The explorer without a browser: setting a control does what a click does."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape, unescape

import ipywidgets
import numpy as np
import pytest

from movierec.datasets import Tables
from movierec.errors import InputError
from movierec.features import Features
from movierec.recommend import Recommender
from movierec.runs import Run
from movierec.widgets import Explorer, explorer, rated_films

FOR_USER, SIMILAR, PEOPLE, RATING = range(4)


def recommender_of(tables: Tables) -> Recommender:
    """Vectors drawn at random around a rating of 3 stars: the explorer asks for no more."""
    features, rng = Features.fit(tables), np.random.default_rng(0)
    users = rng.normal(0.5, 0.2, (len(features.users), 12)).astype(np.float32)
    movies = rng.normal(0.5, 0.2, (len(features.movies), 12)).astype(np.float32)
    return Recommender(tables, features, users, movies)


@pytest.fixture
def recommender(small_tables: Tables) -> Recommender:
    return recommender_of(small_tables)


@pytest.fixture
def view(recommender: Recommender) -> Explorer:
    return explorer(recommender)


def tables_of(view: Explorer) -> list[list[list[str]]]:
    """The cells' texts, by table and row, heads left out."""
    found = re.findall(r"<tbody>(.*?)</tbody>", view.answer.value)
    rows = [re.findall(r"<tr>(.*?)</tr>", table) for table in found]
    cells = r"<td[^>]*>(.*?)</td>"
    return [
        [[unescape(text) for text in re.findall(cells, row)] for row in table] for table in rows
    ]


def without_year(titles: list[str]) -> list[str]:
    return [re.sub(r" \(\d{4}\)$", "", title) for title in titles]


def test_it_opens_on_an_active_person_and_the_most_rated_film(view: Explorer):
    ratings = view.recommender.tables.ratings
    by_user, by_film = (ratings[name].value_counts() for name in ("user_id", "movie_id"))
    assert np.mean(by_user > by_user[view.user.value]) == pytest.approx(0.1, abs=0.02)
    assert by_film[view.film.value] == by_film.max()
    assert view.tabs.selected_index == FOR_USER


def test_films_for_a_person_stand_beside_what_they_rated(view: Explorer):
    view.user.value, view.k.value = 7, 4
    films, rated = tables_of(view)
    expected = view.recommender.for_user(7, k=4)
    assert [row[0] for row in films] == without_year(expected["title"].tolist())
    assert [row[-1] for row in films] == [f"{score:.2f}" for score in expected["score"]]
    best = rated_films(view.recommender, 7)
    assert [row[0] for row in rated] == without_year(best["title"].tolist()[:4])
    assert best["rating"].is_monotonic_decreasing


def test_a_run_that_knows_what_is_watched_shows_stars_and_why(small_best: Run):
    view = explorer(small_best.recommender, user_id=7)
    view.k.value = 4
    films, _ = tables_of(view)
    expected = view.recommender.for_user(7, k=4)
    assert [row[3] for row in films] == [f"{stars:.2f}" for stars in expected["predicted"]]
    said = [view.recommender.because(7, film) for film in expected["movie_id"]]
    assert [row[4] for row in films] == [text.replace("you gave", "they gave") for text in said]
    assert all(said)
    for mode in (SIMILAR, PEOPLE, RATING):
        view.tabs.selected_index = mode
        assert view.recommender.title(view.film.value) in unescape(view.answer.value)


def test_rated_films_come_back_when_asked_for(view: Explorer):
    view.k.value = 30
    view.exclude_seen.value = False
    shown = [row[0] for row in tables_of(view)[0]]
    everything = view.recommender.for_user(view.user.value, k=30, exclude_seen=False)
    assert shown == without_year(everything["title"].tolist())


def test_similar_films_are_those_of_the_chosen_film(view: Explorer):
    view.tabs.selected_index = SIMILAR
    (films,) = tables_of(view)
    expected = view.recommender.similar(view.film.value)
    assert [row[0] for row in films] == without_year(expected["title"].tolist())


def test_people_are_shown_in_words_with_what_else_they_like(view: Explorer):
    view.tabs.selected_index = PEOPLE
    films, people = tables_of(view)
    also = view.recommender.also_liked(view.film.value)
    assert [row[0] for row in films] == without_year(also["title"].tolist())
    expected = view.recommender.people_who_like(view.film.value, 10)
    assert [row[:4] for row in people] == [
        [str(person.user_id), person.gender, person.age, person.occupation]
        for person in expected.itertuples()
    ]


def test_a_rating_is_the_predicted_one_beside_the_given_one(view: Explorer):
    view.tabs.selected_index = RATING
    given = view.recommender.tables.ratings.iloc[0]
    view.user.value = int(given["user_id"])
    movies = view.recommender.tables.movies
    film = movies[movies["movie_id"] == given["movie_id"]].iloc[0]
    view.search.value = film["title"]
    assert view.film.value == film["movie_id"]
    stars = view.recommender.predict([given["user_id"]], [given["movie_id"]])[0]
    assert f"{stars:.2f} stars" in view.answer.value
    assert f"They gave it {given['rating']:g}." in view.answer.value


def test_typing_finds_a_film_and_shows_its_answer(view: Explorer):
    view.tabs.selected_index = SIMILAR
    wanted = view.recommender.tables.movies.iloc[40]
    view.search.value = wanted["title"][1:].lower()
    assert view.film.value == wanted["movie_id"]
    assert escape(wanted["title"]) in view.answer.value
    view.film.index = 1
    assert escape(view.film.label) in view.answer.value


@pytest.mark.parametrize("mode", [SIMILAR, PEOPLE, RATING])
def test_a_search_without_matches_says_so_and_the_next_one_recovers(view: Explorer, mode: int):
    view.tabs.selected_index = mode
    before = view.answer.value
    title = view.film.label
    view.search.value = "zzzq <b>xkw"
    assert view.film.value is None
    assert "No film has a title like “zzzq &lt;b&gt;xkw”" in view.answer.value
    view.search.value = title
    assert view.answer.value == before


def test_an_empty_search_keeps_the_film(view: Explorer):
    film = view.film.value
    view.search.value = "  "
    assert view.film.value == film


@pytest.mark.parametrize("mode", [FOR_USER, RATING])
def test_an_unknown_person_is_said_in_words(view: Explorer, mode: int):
    view.tabs.selected_index = mode
    view.user.value = 987654
    assert "unknown user id 987654" in view.answer.value
    view.user.value = 1
    assert "unknown" not in view.answer.value


def test_a_draw_is_repeated_by_its_seed_and_changed_by_the_button(view: Explorer):
    assert view.seed.disabled  # the plain best needs no seed
    assert view.again.disabled
    plain = view.answer.value
    view.temperature.value = 2.0
    first = view.answer.value
    assert first != plain
    view.again.click()
    assert view.seed.value == 1
    assert view.answer.value != first
    view.seed.value = 0
    assert view.answer.value == first


def test_what_comes_from_data_is_escaped(plain_tables: Tables):
    movies = plain_tables.movies.assign(title='<script>alert("1")</script> & (1999)')
    hostile = replace(plain_tables, movies=movies.assign(genres="<i>War"), name="<u>data")
    view = explorer(recommender_of(hostile))
    for mode in range(4):
        view.tabs.selected_index = mode
        assert not re.search(r"<(script|i|u)>", view.answer.value)
    assert "<u>" not in view.children[0].value


def test_data_without_demographics_and_years_is_shown(plain_tables: Tables):
    view = explorer(recommender_of(plain_tables))
    view.user.value = 6
    films, _ = tables_of(view)
    assert "nan" not in view.answer.value.lower()
    assert "<NA>" not in unescape(view.answer.value)
    assert ["Red Sea", "", "Comedy, Drama"] in [row[:3] for row in films]
    view.tabs.selected_index = PEOPLE
    assert len(tables_of(view)[1]) == len(plain_tables.users)


def test_failure_in_a_callback_is_raised(view: Explorer, monkeypatch: pytest.MonkeyPatch):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(view.recommender, "for_user", broken)
    with pytest.raises(RuntimeError, match="broken"):
        view.k.value = 3


def test_every_control_is_labelled(view: Explorer):
    controls = [view.user, view.exclude_seen, view.search, view.film]
    controls += [view.k, view.temperature, view.seed, view.again]
    for control in controls:
        assert control.description
        assert control.tooltip
    assert isinstance(view, ipywidgets.VBox)
    assert all(view.tabs.titles)


def test_it_opens_where_it_is_told_and_refuses_unknown_ids(recommender: Recommender):
    view = explorer(recommender, user_id=9, movie_id=recommender.tables.movies["movie_id"][3])
    assert (view.user.value, view.film.value) == (9, recommender.tables.movies["movie_id"][3])
    with pytest.raises(InputError, match="unknown user id 0"):
        explorer(recommender, user_id=0)
