"""The explorer without a browser: setting a control, or `act`, does what a click does."""

from __future__ import annotations

import base64
import datetime
import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer.components import SORRY, CardGrid, Component, Knob
from movierec.explorer.visitor import write_profile
from movierec.explorer.widgets import (
    ASKED,
    FILM,
    FOR_YOU,
    MAP,
    PERSON,
    Explorer,
    explorer,
    rated_films,
)
from movierec.metadata.provider import Details
from movierec.recommend.recommender import Recommender
from movierec.runs import Run


def recommender_of(tables: Tables) -> Recommender:
    """Vectors drawn at random around a rating of 3 stars, nothing of newcomers and watching."""
    features, rng = Features.fit(tables), np.random.default_rng(0)
    users = rng.normal(0.5, 0.2, (len(features.users), 12)).astype(np.float32)
    movies = rng.normal(0.5, 0.2, (len(features.movies), 12)).astype(np.float32)
    return Recommender(tables, features, users, movies)


@pytest.fixture
def bare(small_tables: Tables) -> Explorer:
    """The explorer of a run that knows as little as a run can."""
    return explorer(recommender_of(small_tables))


@pytest.fixture
def view(small_best: Run) -> Explorer:
    return explorer(small_best.recommender)


def text_of(view: Explorer) -> str:
    """All markup of the explorer, whichever tab is open."""
    found: list[str] = []

    def visit(widget: ipywidgets.Widget) -> None:
        if isinstance(widget, CardGrid):
            found.extend(card["html"] for card in widget.cards)
            found.append(widget.note["html"])
        elif isinstance(widget, ipywidgets.HTML):
            found.append(widget.value)
        for name in ("svg", "marks"):
            found.append(getattr(widget, name, ""))
        for child in getattr(widget, "children", ()):
            visit(child)

    visit(view)
    return "".join(found)


def chosen(content: bytes) -> tuple[dict[str, Any], ...]:
    """What the upload control holds when a file was chosen."""
    now = datetime.datetime.now(datetime.UTC)
    file = {"name": "x.json", "type": "", "size": len(content), "last_modified": now}
    return (file | {"content": memoryview(content)},)


# --- a new visitor -------------------------------------------------------------------------------


def test_it_opens_with_films_to_rate_and_films_to_see(view: Explorer):
    assert view.tabs.selected_index == FOR_YOU
    assert len(set(view.offered.movie_ids)) == ASKED
    assert all(card["rate"] and card["given"] is None for card in view.offered.cards)
    expected = view.recommender.for_new_user(k=12, liking=view.tuning.liking.value)
    assert view.list.movie_ids == expected["movie_id"].tolist()
    assert all("Watched and liked by many" in card["html"] for card in view.list.cards)
    assert view.rated.cards == []
    assert "None yet" in view.rated.status


def test_each_star_changes_the_list_and_asks_about_one_other_film(view: Explorer):
    before, shown = view.list.movie_ids, view.offered.movie_ids
    view.act("rate", shown[2], 5.0)
    assert view.visitor.ratings == {shown[2]: 5.0}
    assert view.list.movie_ids != before
    assert view.rated.movie_ids == [shown[2]]
    now = view.offered.movie_ids
    assert [now[n] == shown[n] for n in range(ASKED)] == [n != 2 for n in range(ASKED)]
    assert spoken_title(view.recommender.title(shown[2])) in view.offered.status
    me = view.recommender.new_user(view.visitor.ratings)
    expected = view.recommender.for_user(me, k=12, liking=view.tuning.liking.value)
    assert view.list.movie_ids == expected["movie_id"].tolist()
    assert "1 film" in view.list.status


def test_stars_are_changed_and_taken_back(view: Explorer):
    film, before = view.offered.movie_ids[0], view.list.movie_ids
    view.act("rate", film, 1.0)
    view.act("rate", film, 4.0)
    assert view.rated.cards[0]["given"] == 4.0
    view.act("back", film)
    assert view.visitor.ratings == {}
    assert view.list.movie_ids == before
    assert view.rated.cards == []


def test_films_that_are_not_known_are_not_asked_about_again(view: Explorer):
    film = view.offered.movie_ids[0]
    view.act("unknown", film)
    assert film not in view.offered.movie_ids
    assert view.visitor.unknown == [film]
    shown = view.offered.movie_ids
    view.other.click()
    assert not set(view.offered.movie_ids) & {film, *shown}
    assert view.visitor.unknown == [film]  # to be asked about others says nothing of these


def test_a_film_of_ones_own_is_found_by_typing_and_rated(view: Explorer):
    title = view.recommender.tables.movies["title"][40]
    film = int(view.recommender.tables.movies["movie_id"][40])
    view.search_to_rate.value = title.lower()
    assert view.found_to_rate.movie_ids[0] == film
    view.act("rate", film, 3.0)
    assert view.found_to_rate.cards[0]["given"] == 3.0
    view.search_to_rate.value = "qqqqqqqqqq"
    assert view.found_to_rate.cards == []
    assert "No film has a title like" in view.found_to_rate.status
    view.search_to_rate.value = ""
    assert view.found_to_rate.status == ""


def test_what_one_tells_of_oneself_counts_and_may_be_withdrawn(view: Explorer):
    before = view.list.movie_ids, [card["html"] for card in view.list.cards]
    view.gender.value, view.age.value, view.job.value = "F", 56, 3
    assert (view.visitor.gender, view.visitor.age, view.visitor.occupation) == ("F", 56, 3)
    assert (view.list.movie_ids, [card["html"] for card in view.list.cards]) != before
    for control in (view.gender, view.age, view.job):
        control.value = control.options[0][1]
    assert (view.list.movie_ids, [card["html"] for card in view.list.cards]) == before


def test_why_shows_what_each_film_adds_as_a_table(view: Explorer):
    for stars, film in ((5.0, view.offered.movie_ids[0]), (1.0, view.offered.movie_ids[1])):
        view.act("rate", film, stars)
    film = view.list.movie_ids[0]
    view.act("why", film)
    html = unescape(view.list.note["html"])
    reasons = view.recommender.explain(view.recommender.new_user(view.visitor.ratings), film)
    for reason in reasons.dropna(subset="movie_id").itertuples():
        assert spoken_title(reason.title) in html
        assert f"{reason.stars:+.2f}" in html
    assert 'scope="row"' in html
    view.list.closed()
    assert view.list.note["html"] == ""


def test_why_without_stars_says_that_there_are_none(view: Explorer):
    view.act("why", view.list.movie_ids[0])
    assert "not given any stars" in view.list.note["html"]


def test_the_profile_is_kept_as_a_file_and_loaded_by_somebody_else(view: Explorer, small_best: Run):
    for stars, film in zip((5.0, 2.0, 3.0), list(view.offered.movie_ids), strict=False):
        view.act("rate", film, stars)
    view.gender.value = "M"
    link = re.search(r'href="data:application/json;base64,([^"]+)"', view.save.value)
    assert link is not None
    content = base64.b64decode(link[1])
    assert content.decode() == write_profile(view.recommender, view.visitor)
    other = explorer(small_best.recommender)
    other.load.value = chosen(content)
    assert other.visitor == view.visitor
    assert other.gender.value == "M"
    assert other.list.movie_ids == view.list.movie_ids
    assert "3 films" in other.file_message.value
    assert not set(other.offered.movie_ids) & set(other.visitor.ratings)


def test_a_hostile_file_is_refused_in_words_and_changes_nothing(view: Explorer):
    view.act("rate", view.offered.movie_ids[0], 4.0)
    before = json.loads(write_profile(view.recommender, view.visitor))
    hostile = json.dumps(before | {"gender": "<script>alert(1)</script>"}).encode()
    view.load.value = chosen(hostile)
    assert "Not loaded" in view.file_message.value
    assert "<script>" not in view.file_message.value
    assert json.loads(write_profile(view.recommender, view.visitor)) == before


def test_visitors_share_the_recommender_and_nothing_else(view: Explorer, small_best: Run):
    other = explorer(small_best.recommender)
    before = other.list.movie_ids
    view.act("rate", view.offered.movie_ids[0], 1.0)
    view.tuning.variety.value = 0.5
    assert other.visitor.ratings == {}
    other.tabs.selected_index = FILM
    other.tabs.selected_index = FOR_YOU
    assert other.list.movie_ids == before


# --- how lists are chosen ------------------------------------------------------------------------


def test_a_draw_is_repeated_by_its_seed_and_changed_by_the_button(view: Explorer):
    assert view.tuning.seed.disabled  # the plain best needs no seed
    assert view.tuning.again.disabled
    plain = view.list.movie_ids
    view.tuning.adventure.value = 2.0
    first = view.list.movie_ids
    assert first != plain
    assert "seed 0" in view.list.status
    view.tuning.again.click()
    assert "seed 1" in view.list.status
    assert view.list.movie_ids != first
    view.tuning.seed.value = 0
    assert view.list.movie_ids == first


def test_genres_and_years_filter_every_list(view: Explorer):
    genre = view.tuning.genres[0].description
    view.tuning.genres[0].value = True
    view.tuning.last_year.value = 1990
    for tab, grid in ((FOR_YOU, view.list), (FILM, view.similar), (FILM, view.also)):
        view.tabs.selected_index = tab
        films = view.recommender.tables.movies.set_index("movie_id").loc[grid.movie_ids]
        assert films["genres"].str.split("|").map(lambda names: genre in names).all()
        assert (films["year"] <= 1990).all()
    view.tuning.clear.click()
    assert not view.tuning.genres[0].value
    assert "among" not in view.tuning.settings()


def test_nothing_left_is_said_with_the_way_out(view: Explorer):
    years = set(view.recommender.tables.movies["year"])
    gap = next(year for year in range(min(years), max(years)) if year not in years)
    view.tuning.first_year.value = view.tuning.last_year.value = gap
    assert view.list.cards == []
    assert "widen the years" in view.list.status


def test_variety_and_the_balance_of_seeing_and_loving_reach_the_list(view: Explorer):
    view.act("rate", view.offered.movie_ids[0], 5.0)
    view.tuning.k.value, view.tuning.variety.value, view.tuning.liking.value = 6, 0.6, 0.9
    me = view.recommender.new_user(view.visitor.ratings)
    expected = view.recommender.for_user(me, k=6, variety=0.6, liking=0.9)
    assert view.list.movie_ids == expected["movie_id"].tolist()


def test_a_knob_says_where_it_stands_and_stays_in_its_range():
    knob = Knob("Sound", {0.0: "silent", 0.5: "loud"}, 0.0)
    assert knob.says == "silent"
    knob.value = 0.6
    assert knob.says == "loud"
    knob.value = 1e9  # a page may send anything
    assert knob.value == 1.0


def test_the_panel_is_shown_when_asked_for(view: Explorer):
    panel = view.tuning.children[1]
    assert panel.layout.display == "none"
    view.tuning.toggle.value = True
    assert panel.layout.display is None
    assert view.tuning.toggle.description == "Hide the tuning"


# --- a film --------------------------------------------------------------------------------------


def test_a_film_is_shown_with_its_like_and_who_likes_it(view: Explorer):
    view.tabs.selected_index = FILM
    film = view.search.found.value
    ratings = view.recommender.tables.ratings["movie_id"].value_counts()
    assert ratings[film] == ratings.max()
    assert view.film.movie_ids == [film]
    assert view.similar.movie_ids == view.recommender.similar(film, 12)["movie_id"].tolist()
    assert view.also.movie_ids == view.recommender.also_liked(film, 12)["movie_id"].tolist()
    shared = view.recommender.shared(film, view.similar.movie_ids[0])
    assert f"{shared['raters']:,} people rated both" in view.similar.cards[0]["html"]
    people = view.recommender.people_who_like(film, 3)
    for person in people.itertuples():
        assert f"<td>{person.user_id}</td>" in view.people.value
        assert person.occupation in unescape(view.people.value)


def test_typing_finds_the_nearest_titles_and_nothing_is_said_so(view: Explorer):
    view.tabs.selected_index = FILM
    movies = view.recommender.tables.movies
    view.search.text.value = movies["title"][7][1:].lower()
    assert view.search.found.value == movies["movie_id"][7]
    assert view.film.movie_ids == [movies["movie_id"][7]]
    view.search.text.value = "<b>qqqqqqqqqqqqq"
    assert view.search.found.value is None
    assert view.film.cards == view.similar.cards == []
    assert "No film has a title like" in view.film.status
    view.tabs.selected_index = MAP
    assert "No film has a title like" in view.map_words.value
    assert "<b>" not in view.map_words.value
    view.tabs.selected_index = PERSON
    assert "No film has a title like" in view.verdict.value


def test_more_like_this_opens_the_film(view: Explorer):
    film = view.list.movie_ids[4]
    view.act("film", film)
    assert view.tabs.selected_index == FILM
    assert view.search.found.value == film
    assert view.film.movie_ids == [film]
    view.act("film", film)  # once more: nothing changes
    assert view.film.movie_ids == [film]


# --- a person ------------------------------------------------------------------------------------


def test_a_known_person_has_a_list_with_reasons_and_a_history(view: Explorer):
    view.tabs.selected_index = PERSON
    view.user.value = 7
    expected = view.recommender.for_user(7, k=12, liking=view.tuning.liking.value)
    assert view.person_list.movie_ids == expected["movie_id"].tolist()
    reason = view.recommender.because(7, int(expected["movie_id"][0]))
    said = unescape(view.person_list.cards[0]["html"])
    assert reason.replace("because you gave", "Because they gave", 1) in said
    best = rated_films(view.recommender, 7)
    assert best["rating"].is_monotonic_decreasing
    assert spoken_title(best["title"][0]) in unescape(view.history.value)
    view.act("why", view.person_list.movie_ids[0])
    assert "they rated" in view.person_list.note["html"]
    assert view.list.note["html"] == ""


def test_rated_films_come_back_when_asked_for(view: Explorer):
    view.tabs.selected_index = PERSON
    view.exclude_seen.value = False
    everything = view.recommender.for_user(
        view.user.value, k=12, exclude_seen=False, liking=view.tuning.liking.value
    )
    assert view.person_list.movie_ids == everything["movie_id"].tolist()


def test_a_rating_is_the_predicted_one_beside_the_given_one(view: Explorer):
    view.tabs.selected_index = PERSON
    given = view.recommender.tables.ratings.iloc[0]
    view.user.value = int(given["user_id"])
    view.search.choose(int(given["movie_id"]))
    stars = view.recommender.predict([given["user_id"]], [given["movie_id"]])[0]
    assert f"{stars:.2f} stars" in view.verdict.value
    assert f"They gave it {given['rating']:g}" in view.verdict.value


def test_an_unknown_person_is_said_in_words(view: Explorer):
    view.tabs.selected_index = PERSON
    view.user.value = 987654
    assert "unknown user id 987654" in view.person.value
    assert view.person_list.cards == []
    view.user.value = 1
    assert "unknown" not in view.person.value


def test_somebody_else_is_always_somebody(view: Explorer):
    view.tabs.selected_index = PERSON
    seen = set()
    for _ in range(10):
        view.somebody.click()
        assert view.person_list.cards
        seen.add(view.user.value)
    assert len(seen) == 10


# --- the map -------------------------------------------------------------------------------------


def test_the_map_marks_the_film_its_like_and_the_visitors_films(view: Explorer):
    view.act("rate", view.offered.movie_ids[0], 4.0)
    view.tabs.selected_index = MAP
    assert len(view.map.points) == len(view.map.ids) == len(view.map.titles)
    assert view.map.marks.count("<rect") == 1  # the visitor's
    assert view.map.marks.count("<circle") == 1 + 8
    film = view.map.ids[5]
    view.act("film", film)  # a click on the map
    assert view.tabs.selected_index == MAP
    assert spoken_title(view.recommender.title(film)) in unescape(view.map_words.value)
    assert view.map.titles[5] in unescape(view.map.description)


# --- pictures ------------------------------------------------------------------------------------


class Provider:
    """Answers when told to, as from another thread."""

    attribution = "Posters by nobody."
    language = "zh-CN"

    def __init__(self) -> None:
        self.answers: dict[int, Details] = {}
        self.asked: list[int] = []
        self.waiting: Any = None

    def known(self, movie_id: int) -> Details | None:
        return self.answers.get(movie_id)

    def ask(self, films: pd.DataFrame, done: Any) -> None:
        assert list(films.columns) == ["movie_id", "title", "year"]
        self.asked += films["movie_id"].tolist()
        self.waiting = done

    def answer(self, movie_id: int, details: Details) -> None:
        self.answers[movie_id] = details
        self.waiting(movie_id, details)


def test_cards_fill_in_when_an_answer_comes(small_best: Run):
    provider = Provider()
    view = explorer(small_best.recommender, metadata=provider)
    film = view.list.movie_ids[0]
    assert set(view.list.movie_ids) <= set(provider.asked)
    assert not view.list.cards[0]["poster"]
    before = [card["html"] for card in view.list.cards[1:]]
    provider.answer(film, Details("黑客帝国 <b>", "A plot & more <i>", b"\xff\xd8\xff", "TMDB"))
    card = view.list.cards[0]
    assert card["poster"]
    assert "黑客帝国 &lt;b&gt;" in card["html"]
    assert spoken_title(view.recommender.title(film)) in unescape(card["html"])
    assert [card["html"] for card in view.list.cards[1:]] == before
    view.act("film", film)
    assert "A plot &amp; more &lt;i&gt;" in view.film.cards[0]["html"]


def test_a_poster_is_sent_when_the_page_asks_for_it(small_best: Run, monkeypatch):
    provider = Provider()
    view = explorer(small_best.recommender, metadata=provider)
    sent: list[Any] = []
    monkeypatch.setattr(
        view.list, "send", lambda content, buffers=None: sent.append((content, buffers))
    )
    film = view.list.movie_ids[0]
    message = {"action": "poster", "movie_id": film, "value": None}
    view.list._receive(None, message, [])
    assert sent == []  # none is known
    provider.answer(film, Details(None, None, b"\x89PNG...", "TMDB"))
    view.list._receive(None, message, [])
    assert sent == [({"poster": film, "type": "image/png"}, [b"\x89PNG..."])]


# --- runs that know less -------------------------------------------------------------------------


def test_a_run_without_newcomers_says_so_and_does_the_rest(bare: Explorer):
    assert "without what it takes to serve somebody new" in text_of(bare)
    for tab in (FILM, PERSON, MAP):
        bare.tabs.selected_index = tab
    assert bare.similar.cards
    assert bare.person_list.cards
    bare.tabs.selected_index = PERSON
    bare.act("why", bare.person_list.movie_ids[0])
    assert "tell reasons" in bare.person_list.note["html"]


def test_a_run_without_watching_says_so_and_has_no_knob_for_it(bare: Explorer, view: Explorer):
    assert "follow the predicted stars alone" in text_of(bare)
    assert "follow the predicted stars alone" not in text_of(view)
    assert "liking" not in bare.tuning.for_people()


def test_data_without_demographics_and_years_is_shown(plain_tables: Tables):
    view = explorer(recommender_of(plain_tables))
    for tab in (FILM, PERSON, MAP):
        view.tabs.selected_index = tab
    assert "nan" not in text_of(view).lower()
    assert "<NA>" not in unescape(text_of(view))
    assert view.star_values == [stars / 2 for stars in range(1, 9)]


def test_what_comes_from_data_is_escaped(small_best: Run, monkeypatch: pytest.MonkeyPatch):
    rec = small_best.recommender
    tables = replace(
        rec.tables,
        movies=rec.tables.movies.assign(title='<script>alert("1")</script> & (1999)'),
        occupations=tuple("<u>job" for _ in rec.tables.occupations),
        name="<u>data",
    )
    view = explorer(
        Recommender(
            tables, rec.features, rec.user_vectors, rec.movie_vectors, rec.newcomers, rec.watching
        )
    )
    view.act("rate", view.offered.movie_ids[0], 4.0)
    view.act("why", view.list.movie_ids[0])
    for tab in range(4):
        view.tabs.selected_index = tab
        assert not re.search(r"<(script|u)\b", text_of(view) + view.static())


# --- callbacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "movie_id", "value"),
    [
        ("rate", 10**9, 4.0),
        ("rate", None, 9.0),
        ("rate", None, "5"),
        ("rate", None, True),
        ("rate", None, 2.5),
        ("burn", None, None),
    ],
)
def test_what_a_page_cannot_mean_is_refused(view: Explorer, action, movie_id, value):
    film = view.offered.movie_ids[0] if movie_id is None else movie_id
    with pytest.raises(InputError):
        view.act(action, film, value)
    assert view.visitor.ratings == {}


def test_a_message_of_the_page_does_what_act_does(view: Explorer):
    film = view.offered.movie_ids[0]
    view.offered._receive(None, {"action": "rate", "movie_id": film, "value": 3}, [])
    assert view.visitor.ratings == {film: 3.0}
    assert view.offered.answered == 1
    assert view.offered.error == ""
    for stray in ("text", {}, {"action": "rate"}, {"action": "rate", "movie_id": "1", "value": 1}):
        view.offered._receive(None, stray, [])
    assert view.visitor.ratings == {film: 3.0}


def test_failure_in_a_callback_is_raised_and_said(view: Explorer, monkeypatch: pytest.MonkeyPatch):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(view.recommender, "for_user", broken)
    with pytest.raises(RuntimeError, match="broken"):
        view.tuning.k.value = 6
    film = view.offered.movie_ids[0]
    with pytest.raises(RuntimeError, match="broken"):
        view.offered._receive(None, {"action": "rate", "movie_id": film, "value": 3}, [])
    assert "Something went wrong" in view.offered.error


def test_each_action_of_the_page_gets_one_answer_also_a_second_failure_in_a_row(
    view: Explorer, monkeypatch: pytest.MonkeyPatch
):
    sent: list[dict[str, Any]] = []

    def send(message: dict[str, Any], buffers: Any = None) -> None:
        told = message["state"]
        sent.append({name: told[name] for name in ("answered", "error") if name in told})

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(view.offered, "_send", send)
    first, second, third = view.offered.movie_ids[:3]
    view.offered._receive(None, {"action": "rate", "movie_id": first, "value": 3}, [])
    assert sent == [{"answered": 1}]  # and no word of a fault
    monkeypatch.setattr(view.offered, "_on_action", broken)
    for film in (second, third):
        with pytest.raises(RuntimeError, match="broken"):
            view.offered._receive(None, {"action": "rate", "movie_id": film, "value": 3}, [])
    assert sent[1:] == [{"answered": 2, "error": SORRY}, {"answered": 3}]


def test_every_control_is_labelled(view: Explorer):
    checked = 0

    def visit(widget: ipywidgets.Widget) -> None:
        nonlocal checked
        if isinstance(widget, Knob):
            assert widget.label
            checked += 1
        elif hasattr(widget, "description") and not isinstance(
            widget, ipywidgets.HTML | ipywidgets.Tab | Component
        ):
            assert widget.description
            checked += 1
        for child in getattr(widget, "children", ()):
            visit(child)

    visit(view)
    assert checked > 20
    assert all(view.tabs.titles)
    grids = (view.offered, view.list, view.rated, view.similar, view.also, view.person_list)
    assert all(grid.label for grid in grids)


def test_the_script_of_the_components_has_what_they_are_called(view: Explorer):
    source = str(view.offered._esm)
    for kind in ("cards", "knob", "map"):
        assert re.search(rf"\b{kind}: render", source)
    traits = set(re.findall(r'model\.get\("(\w+)"\)', source))
    known = {name for kind in Component.__subclasses__() for name in kind.class_trait_names()}
    assert traits <= known


def test_each_tab_has_a_twin_that_needs_no_kernel(view: Explorer):
    view.act("rate", view.offered.movie_ids[0], 4.0)
    twins = []
    for tab in range(4):
        view.tabs.selected_index = tab
        twins.append(unescape(view.static()))
    title = spoken_title(view.recommender.title(view.list.movie_ids[0]))
    assert title in twins[FOR_YOU]
    assert "People in the data who like it most" in twins[FILM]
    assert f"Person {view.user.value}" in twins[PERSON]
    assert "<svg" in twins[MAP]


def test_it_opens_where_it_is_told_and_refuses_unknown_ids(small_best: Run):
    film = int(small_best.tables.movies["movie_id"][3])
    view = explorer(small_best.recommender, user_id=9, movie_id=film)
    assert (view.user.value, view.search.found.value) == (9, film)
    ratings = small_best.tables.ratings["user_id"].value_counts()
    active = explorer(small_best.recommender).user.value
    assert np.mean(ratings > ratings[active]) == pytest.approx(0.1, abs=0.02)
    with pytest.raises(InputError, match="unknown user id 0"):
        explorer(small_best.recommender, user_id=0)
