"""The explorer in a notebook: driven from Python, asked by the browser, without a kernel."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from movierec.errors import InputError
from movierec.explorer.service import Service
from movierec.explorer.widget import STATIC, Explorer, explorer
from movierec.runs import Run


@pytest.fixture
def view(service: Service) -> Explorer:
    return Explorer(service)


def test_stars_given_from_python_change_the_list(view: Explorer):
    film = view.asked
    before = [one.movie_id for one in view.films if one.movie_id != film.movie_id]
    view.rate(film.movie_id, 5)
    view.rate(before[0], 1.0)
    assert view.ratings == {film.movie_id: 5.0, before[0]: 1.0}
    assert view.state["ratings"] == [[film.movie_id, 5], [before[0], 1.0]]
    assert view.films[0].movie_id != before[0]
    assert view.asked.movie_id not in view.ratings
    view.not_seen(film.movie_id)
    assert (view.ratings, view.state["unknown"]) == ({before[0]: 1.0}, [film.movie_id])
    view.take_back(film.movie_id)
    assert view.state["unknown"] == []


def test_views_and_settings_are_the_state_and_decide_what_is_shown(view: Explorer):
    view.tune(k=5, genres=["Drama"])
    assert len(view.films) == 5
    assert all("Drama" in film.genres for film in view.films)
    view.show("together")
    assert all(len(film.each) == 1 for film in view.films)
    view.look_at_person(view.service.active)
    assert view.state["view"] == "person"
    assert view.films == view.ask("for-user", k=5, genres=["Drama"]).films
    view.show("map")
    assert view.films == []


@pytest.mark.parametrize(
    ("act", "fault"),
    [
        (lambda view: view.rate(1, 7), "got 7 stars"),
        (lambda view: view.rate(10**6, 5), "unknown movie"),
        (lambda view: view.not_seen(10**6), "unknown movie"),
        (lambda view: view.look_at(10**6), "unknown movie"),
        (lambda view: view.look_at_person(-3), "unknown user"),
        (lambda view: view.tune(variety=7), "variety: Input should be less than or equal to 1"),
        (lambda view: view.tune(film=1), "film: Extra inputs"),
        (lambda view: view.show("nowhere"), "for-you, together, person, map"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(view: Explorer, act: Any, fault: str):
    before = dict(view.state)
    with pytest.raises(InputError, match=fault):
        act(view)
    assert view.state == before


def test_questions_of_the_component_are_answered_with_their_number(view: Explorer, monkeypatch):
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(view, "send", lambda content, buffers=None: sent.append(content))
    view._asked(view, {"id": 1, "name": "find", "question": {"text": "the"}}, [])
    view._asked(view, {"id": 2, "name": "find", "question": {"text": 3}}, [])
    view._asked(view, {"id": 3, "name": "picture", "question": {"movie_id": 1}}, [])
    for nonsense in (None, {}, {"id": "x", "name": "find"}, [1], {"id": 4, "name": 5}):
        view._asked(view, nonsense, [])
    first, second, third = sent
    assert first["id"] == 1
    assert first["answer"] == view.ask("find", text="the").model_dump(exclude_none=True)
    assert (second["id"], second["status"]) == (2, 422)
    assert third["answer"]["address"].startswith("data:image/jpeg;base64,")


def test_it_is_shown_without_a_kernel_in_each_view(view: Explorer, small_best: Run):
    film = view.films[0]
    view.rate(film.movie_id, 5)
    listed = view.films
    for name in ("for-you", "together", "person", "map"):
        view.show(name)
        html = view.static()
        assert "<script" not in html
        if name == "for-you":
            assert all(film.title.split("'")[0] in html for film in listed)
    view.look_at(film.movie_id)
    assert "it starts at" in view.static()


def test_a_hostile_title_is_text_in_the_static_page(small_best: Run):
    rec = small_best.recommender
    movies = rec.tables.movies.head(0)[["title", "genres"]]
    movies.loc[0] = ["<img src=x onerror=alert(1)> (1999)", "Drama"]
    grown = rec.add_movies(movies)
    new = int(grown.tables.movies["movie_id"].max())
    view = explorer(grown)
    view.look_at(new)
    assert "&lt;img src=x" in view.static()
    assert "<img" not in view.static()


def test_both_languages_have_the_same_sentences_and_the_component_has_no_others():
    words = json.loads((STATIC / "words.json").read_text("utf-8"))
    assert set(words["zh"]) - {"names"} == set(words["en"])
    for key, text in words["en"].items():
        places = re.findall(r"\{\w+\}", text)
        assert set(places) == set(re.findall(r"\{\w+\}", words["zh"][key])), key
    script = (STATIC / "explorer.js").read_text("utf-8")
    for key in re.findall(r'\bt\("([\w-]+)"', script):
        assert key in words["en"], key
