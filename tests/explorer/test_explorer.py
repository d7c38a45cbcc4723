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

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer.components import SORRY, CardGrid, Component, Knob
from movierec.explorer.explorer import FILM, FOR_YOU, MAP, PERSON, Explorer, explorer
from movierec.explorer.people import rated_films
from movierec.explorer.tabs.for_you import ASKED
from movierec.explorer.visitor import write_profile
from movierec.models.newcomers import learn_newcomers
from movierec.posters.provider import Details
from movierec.recommend.recommender import Recommender
from movierec.runs import Run, encode_rows


def recommender_of(tables: Tables) -> Recommender:
    """Vectors drawn at random around a rating of 3 stars, and nothing of what is watched."""
    features, rng = Features.fit(tables), np.random.default_rng(0)
    users = rng.normal(0.5, 0.2, (len(features.users), 12)).astype(np.float32)
    movies = rng.normal(0.5, 0.2, (len(features.movies), 12)).astype(np.float32)
    known = user_attributes(features), movie_attributes(features)
    newcomers = learn_newcomers(users, movies, *known, encode_rows(tables, features), seed=0)
    return Recommender(tables, features, users, movies, newcomers)


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
    assert len(set(view.for_you.offered.movie_ids)) == ASKED
    assert all(card["rate"] and card["given"] is None for card in view.for_you.offered.cards)
    expected = view.recommender.for_new_user(k=12, liking=view.tuning.liking.value)
    assert view.for_you.list.movie_ids == expected["movie_id"].tolist()
    assert all("Watched and liked by many" in card["html"] for card in view.for_you.list.cards)
    assert view.for_you.rated.cards == []
    assert "None yet" in view.for_you.rated.status


def test_each_star_changes_the_list_and_asks_about_one_other_film(view: Explorer):
    before, shown = view.for_you.list.movie_ids, view.for_you.offered.movie_ids
    view.act("rate", shown[2], 5.0)
    assert view.visitor.ratings == {shown[2]: 5.0}
    assert view.for_you.list.movie_ids != before
    assert view.for_you.rated.movie_ids == [shown[2]]
    now = view.for_you.offered.movie_ids
    assert [now[n] == shown[n] for n in range(ASKED)] == [n != 2 for n in range(ASKED)]
    assert spoken_title(view.recommender.title(shown[2])) in view.for_you.offered.status
    me = view.recommender.new_user(view.visitor.ratings)
    expected = view.recommender.for_user(me, k=12, liking=view.tuning.liking.value)
    assert view.for_you.list.movie_ids == expected["movie_id"].tolist()
    assert "1 film" in view.for_you.list.status


def test_stars_are_changed_and_taken_back(view: Explorer):
    film, before = view.for_you.offered.movie_ids[0], view.for_you.list.movie_ids
    view.act("rate", film, 1.0)
    view.act("rate", film, 4.0)
    assert view.for_you.rated.cards[0]["given"] == 4.0
    view.act("back", film)
    assert view.visitor.ratings == {}
    assert view.for_you.list.movie_ids == before
    assert view.for_you.rated.cards == []


def test_films_that_are_not_known_are_not_asked_about_again(view: Explorer):
    film = view.for_you.offered.movie_ids[0]
    view.act("unknown", film)
    assert film not in view.for_you.offered.movie_ids
    assert view.visitor.unknown == [film]
    shown = view.for_you.offered.movie_ids
    view.for_you.others.click()
    assert not set(view.for_you.offered.movie_ids) & {film, *shown}
    assert view.visitor.unknown == [film]  # to be asked about others says nothing of these


def test_a_film_of_ones_own_is_found_by_typing_and_rated(view: Explorer):
    title = view.recommender.tables.movies["title"][40]
    film = int(view.recommender.tables.movies["movie_id"][40])
    view.for_you.title.value = title.lower()
    assert view.for_you.found.movie_ids[0] == film
    view.act("rate", film, 3.0)
    assert view.for_you.found.cards[0]["given"] == 3.0
    view.for_you.title.value = "qqqqqqqqqq"
    assert view.for_you.found.cards == []
    assert "No film has a title like" in view.for_you.found.status
    view.for_you.title.value = ""
    assert view.for_you.found.status == ""


def test_what_one_tells_of_oneself_counts_and_may_be_withdrawn(view: Explorer):
    before = view.for_you.list.movie_ids, [card["html"] for card in view.for_you.list.cards]
    view.for_you.gender.value, view.for_you.age.value, view.for_you.job.value = "F", 56, 3
    assert (view.visitor.gender, view.visitor.age, view.visitor.occupation) == ("F", 56, 3)
    assert (
        view.for_you.list.movie_ids,
        [card["html"] for card in view.for_you.list.cards],
    ) != before
    for control in (view.for_you.gender, view.for_you.age, view.for_you.job):
        control.value = control.options[0][1]
    assert (
        view.for_you.list.movie_ids,
        [card["html"] for card in view.for_you.list.cards],
    ) == before


def test_why_shows_what_each_film_adds_as_a_table(view: Explorer):
    for stars, film in (
        (5.0, view.for_you.offered.movie_ids[0]),
        (1.0, view.for_you.offered.movie_ids[1]),
    ):
        view.act("rate", film, stars)
    film = view.for_you.list.movie_ids[0]
    view.act("why", film)
    html = unescape(view.for_you.list.note["html"])
    reasons = view.recommender.explain(view.recommender.new_user(view.visitor.ratings), film)
    for reason in reasons.dropna(subset="movie_id").itertuples():
        assert spoken_title(reason.title) in html
        assert f"{reason.stars:+.2f}" in html
    assert 'scope="row"' in html
    view.for_you.list.closed()
    assert view.for_you.list.note["html"] == ""


def test_why_without_stars_says_that_there_are_none(view: Explorer):
    view.act("why", view.for_you.list.movie_ids[0])
    assert "not given any stars" in view.for_you.list.note["html"]


def test_the_profile_is_kept_as_a_file_and_loaded_by_somebody_else(view: Explorer, small_best: Run):
    for stars, film in zip((5.0, 2.0, 3.0), list(view.for_you.offered.movie_ids), strict=False):
        view.act("rate", film, stars)
    view.for_you.gender.value = "M"
    link = re.search(r'href="data:application/json;base64,([^"]+)"', view.for_you.save.value)
    assert link is not None
    content = base64.b64decode(link[1])
    assert content.decode() == write_profile(view.recommender, view.visitor)
    other = explorer(small_best.recommender)
    other.for_you.load.value = chosen(content)
    assert other.visitor == view.visitor
    assert other.for_you.gender.value == "M"
    assert other.for_you.list.movie_ids == view.for_you.list.movie_ids
    assert "3 films" in other.for_you.message.value
    assert not set(other.for_you.offered.movie_ids) & set(other.visitor.ratings)


def test_a_hostile_file_is_refused_in_words_and_changes_nothing(view: Explorer):
    view.act("rate", view.for_you.offered.movie_ids[0], 4.0)
    before = json.loads(write_profile(view.recommender, view.visitor))
    hostile = json.dumps(before | {"gender": "<script>alert(1)</script>"}).encode()
    view.for_you.load.value = chosen(hostile)
    assert "Not loaded" in view.for_you.message.value
    assert "<script>" not in view.for_you.message.value
    assert json.loads(write_profile(view.recommender, view.visitor)) == before


def test_visitors_share_the_recommender_and_nothing_else(view: Explorer, small_best: Run):
    other = explorer(small_best.recommender)
    before = other.for_you.list.movie_ids
    view.act("rate", view.for_you.offered.movie_ids[0], 1.0)
    view.tuning.variety.value = 0.5
    assert other.visitor.ratings == {}
    other.tabs.selected_index = FILM
    other.tabs.selected_index = FOR_YOU
    assert other.for_you.list.movie_ids == before


# --- how lists are chosen ------------------------------------------------------------------------


def test_a_draw_is_repeated_by_its_seed_and_changed_by_the_button(view: Explorer):
    assert view.tuning.seed.disabled  # the plain best needs no seed
    assert view.tuning.again.disabled
    plain = view.for_you.list.movie_ids
    view.tuning.adventure.value = 2.0
    first = view.for_you.list.movie_ids
    assert first != plain
    assert "seed 0" in view.for_you.list.status
    view.tuning.again.click()
    assert "seed 1" in view.for_you.list.status
    assert view.for_you.list.movie_ids != first
    view.tuning.seed.value = 0
    assert view.for_you.list.movie_ids == first


def test_genres_and_years_filter_every_list(view: Explorer):
    genre = view.tuning.genres[0].description
    view.tuning.genres[0].value = True
    view.tuning.last_year.value = 1990
    for tab, grid in (
        (FOR_YOU, view.for_you.list),
        (FILM, view.film.similar),
        (FILM, view.film.also),
    ):
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
    assert view.for_you.list.cards == []
    assert "widen the years" in view.for_you.list.status


def test_variety_and_the_balance_of_seeing_and_loving_reach_the_list(view: Explorer):
    view.act("rate", view.for_you.offered.movie_ids[0], 5.0)
    view.tuning.k.value, view.tuning.variety.value, view.tuning.liking.value = 6, 0.6, 0.9
    me = view.recommender.new_user(view.visitor.ratings)
    expected = view.recommender.for_user(me, k=6, variety=0.6, liking=0.9)
    assert view.for_you.list.movie_ids == expected["movie_id"].tolist()


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
    assert view.film.card.movie_ids == [film]
    assert view.film.similar.movie_ids == view.recommender.similar(film, 12)["movie_id"].tolist()
    assert view.film.also.movie_ids == view.recommender.also_liked(film, 12)["movie_id"].tolist()
    shared = view.recommender.shared(film, view.film.similar.movie_ids[0])
    assert f"{shared['raters']:,} people rated both" in view.film.similar.cards[0]["html"]
    people = view.recommender.people_who_like(film, 3)
    for person in people.itertuples():
        assert f"<td>{person.user_id}</td>" in view.film.people.value
        assert person.occupation in unescape(view.film.people.value)


def test_typing_finds_the_nearest_titles_and_nothing_is_said_so(view: Explorer):
    view.tabs.selected_index = FILM
    movies = view.recommender.tables.movies
    view.search.text.value = movies["title"][7][1:].lower()
    assert view.search.found.value == movies["movie_id"][7]
    assert view.film.card.movie_ids == [movies["movie_id"][7]]
    view.search.text.value = "<b>qqqqqqqqqqqqq"
    assert view.search.found.value is None
    assert view.film.card.cards == view.film.similar.cards == []
    assert "No film has a title like" in view.film.card.status
    view.tabs.selected_index = MAP
    assert "No film has a title like" in view.map.words.value
    assert "<b>" not in view.map.words.value
    view.tabs.selected_index = PERSON
    assert "No film has a title like" in view.person.verdict.value


def test_more_like_this_opens_the_film(view: Explorer):
    film = view.for_you.list.movie_ids[4]
    view.act("film", film)
    assert view.tabs.selected_index == FILM
    assert view.search.found.value == film
    assert view.film.card.movie_ids == [film]
    view.act("film", film)  # once more: nothing changes
    assert view.film.card.movie_ids == [film]


# --- a person ------------------------------------------------------------------------------------


def test_a_known_person_has_a_list_with_reasons_and_a_history(view: Explorer):
    view.tabs.selected_index = PERSON
    view.person.user.value = 7
    expected = view.recommender.for_user(7, k=12, liking=view.tuning.liking.value)
    assert view.person.list.movie_ids == expected["movie_id"].tolist()
    reason = view.recommender.because(7, int(expected["movie_id"][0]))
    said = unescape(view.person.list.cards[0]["html"])
    assert reason.replace("because you gave", "Because they gave", 1) in said
    best = rated_films(view.recommender, 7)
    assert best["rating"].is_monotonic_decreasing
    assert spoken_title(best["title"][0]) in unescape(view.person.history.value)
    view.act("why", view.person.list.movie_ids[0])
    assert "they rated" in view.person.list.note["html"]
    assert view.for_you.list.note["html"] == ""


def test_rated_films_come_back_when_asked_for(view: Explorer):
    view.tabs.selected_index = PERSON
    view.person.exclude_seen.value = False
    everything = view.recommender.for_user(
        view.person.user.value, k=12, exclude_seen=False, liking=view.tuning.liking.value
    )
    assert view.person.list.movie_ids == everything["movie_id"].tolist()


def test_a_rating_is_the_predicted_one_beside_the_given_one(view: Explorer):
    view.tabs.selected_index = PERSON
    given = view.recommender.tables.ratings.iloc[0]
    view.person.user.value = int(given["user_id"])
    view.search.choose(int(given["movie_id"]))
    stars = view.recommender.predict([given["user_id"]], [given["movie_id"]])[0]
    assert f"{stars:.2f} stars" in view.person.verdict.value
    assert f"They gave it {given['rating']:g}" in view.person.verdict.value


def test_an_unknown_person_is_said_in_words(view: Explorer):
    view.tabs.selected_index = PERSON
    view.person.user.value = 987654
    assert "unknown user id 987654" in view.person.who.value
    assert view.person.list.cards == []
    view.person.user.value = 1
    assert "unknown" not in view.person.who.value


def test_somebody_else_is_always_somebody(view: Explorer):
    view.tabs.selected_index = PERSON
    seen = set()
    for _ in range(10):
        view.person.somebody.click()
        assert view.person.list.cards
        seen.add(view.person.user.value)
    assert len(seen) == 10


# --- the map -------------------------------------------------------------------------------------


def test_the_map_marks_the_film_its_like_and_the_visitors_films(view: Explorer):
    view.act("rate", view.for_you.offered.movie_ids[0], 4.0)
    view.tabs.selected_index = MAP
    assert len(view.map.view.points) == len(view.map.view.ids) == len(view.map.view.titles)
    assert view.map.view.marks.count("<rect") == 1  # the visitor's
    assert view.map.view.marks.count("<circle") == 1 + 8
    film = view.map.view.ids[5]
    view.act("film", film)  # a click on the map
    assert view.tabs.selected_index == MAP
    assert spoken_title(view.recommender.title(film)) in unescape(view.map.words.value)
    assert view.map.view.titles[5] in unescape(view.map.view.description)


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
    film = view.for_you.list.movie_ids[0]
    assert set(view.for_you.list.movie_ids) <= set(provider.asked)
    assert not view.for_you.list.cards[0]["poster"]
    before = [card["html"] for card in view.for_you.list.cards[1:]]
    provider.answer(film, Details("黑客帝国 <b>", "A plot & more <i>", b"\xff\xd8\xff", "TMDB"))
    card = view.for_you.list.cards[0]
    assert card["poster"]
    assert "黑客帝国 &lt;b&gt;" in card["html"]
    assert spoken_title(view.recommender.title(film)) in unescape(card["html"])
    assert [card["html"] for card in view.for_you.list.cards[1:]] == before
    view.act("film", film)
    assert "A plot &amp; more &lt;i&gt;" in view.film.card.cards[0]["html"]


def test_a_poster_is_sent_when_the_page_asks_for_it(small_best: Run, monkeypatch):
    provider = Provider()
    view = explorer(small_best.recommender, metadata=provider)
    sent: list[Any] = []
    monkeypatch.setattr(
        view.for_you.list, "send", lambda content, buffers=None: sent.append((content, buffers))
    )
    film = view.for_you.list.movie_ids[0]
    message = {"action": "poster", "movie_id": film, "value": None}
    view.for_you.list._receive(None, message, [])
    assert sent == []  # none is known
    provider.answer(film, Details(None, None, b"\x89PNG...", "TMDB"))
    view.for_you.list._receive(None, message, [])
    assert sent == [({"poster": film, "type": "image/png"}, [b"\x89PNG..."])]


# --- runs that know less -------------------------------------------------------------------------


def test_a_recommender_without_newcomers_is_refused(small_best: Run):
    rec = small_best.recommender
    with pytest.raises(InputError, match="without newcomers"):
        explorer(Recommender(rec.tables, rec.features, rec.user_vectors, rec.movie_vectors))


def test_a_run_without_watching_says_so_and_has_no_knob_for_it(bare: Explorer, view: Explorer):
    assert "follow the predicted stars alone" in text_of(bare)
    assert "follow the predicted stars alone" not in text_of(view)
    assert "liking" not in bare.tuning.for_people()
    for tab, grid in ((FOR_YOU, bare.for_you.list), (PERSON, bare.person.list)):
        bare.tabs.selected_index = tab
        bare.act("why", grid.movie_ids[0])
        assert grid.note["html"]
    bare.tabs.selected_index = FILM
    assert "vectors point the same way" in bare.film.similar.status


def test_data_without_demographics_and_years_is_shown(plain_tables: Tables):
    view = explorer(recommender_of(plain_tables))
    for tab in (FILM, PERSON, MAP):
        view.tabs.selected_index = tab
    assert "nan" not in text_of(view).lower()
    assert "<NA>" not in unescape(text_of(view))
    assert view.recommender.star_values == [stars / 2 for stars in range(1, 9)]


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
    view.act("rate", view.for_you.offered.movie_ids[0], 4.0)
    view.act("why", view.for_you.list.movie_ids[0])
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
    film = view.for_you.offered.movie_ids[0] if movie_id is None else movie_id
    with pytest.raises(InputError):
        view.act(action, film, value)
    assert view.visitor.ratings == {}


def test_a_message_of_the_page_does_what_act_does(view: Explorer):
    film = view.for_you.offered.movie_ids[0]
    view.for_you.offered._receive(None, {"action": "rate", "movie_id": film, "value": 3}, [])
    assert view.visitor.ratings == {film: 3.0}
    assert view.for_you.offered.answered == 1
    assert view.for_you.offered.error == ""
    for stray in ("text", {}, {"action": "rate"}, {"action": "rate", "movie_id": "1", "value": 1}):
        view.for_you.offered._receive(None, stray, [])
    assert view.visitor.ratings == {film: 3.0}


def test_failure_in_a_callback_is_raised_and_said(view: Explorer, monkeypatch: pytest.MonkeyPatch):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(view.recommender, "for_user", broken)
    with pytest.raises(RuntimeError, match="broken"):
        view.tuning.k.value = 6
    film = view.for_you.offered.movie_ids[0]
    with pytest.raises(RuntimeError, match="broken"):
        view.for_you.offered._receive(None, {"action": "rate", "movie_id": film, "value": 3}, [])
    assert "Something went wrong" in view.for_you.offered.error


def test_each_action_of_the_page_gets_one_answer_also_a_second_failure_in_a_row(
    view: Explorer, monkeypatch: pytest.MonkeyPatch
):
    sent: list[dict[str, Any]] = []

    def send(message: dict[str, Any], buffers: Any = None) -> None:
        told = message["state"]
        sent.append({name: told[name] for name in ("answered", "error") if name in told})

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(view.for_you.offered, "_send", send)
    first, second, third = view.for_you.offered.movie_ids[:3]
    view.for_you.offered._receive(None, {"action": "rate", "movie_id": first, "value": 3}, [])
    assert sent == [{"answered": 1}]  # and no word of a fault
    monkeypatch.setattr(view.for_you.offered, "_on_action", broken)
    for film in (second, third):
        with pytest.raises(RuntimeError, match="broken"):
            view.for_you.offered._receive(
                None, {"action": "rate", "movie_id": film, "value": 3}, []
            )
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
    grids = (
        view.for_you.offered,
        view.for_you.list,
        view.for_you.rated,
        view.film.similar,
        view.film.also,
        view.person.list,
    )
    assert all(grid.label for grid in grids)


def test_the_script_of_the_components_has_what_they_are_called(view: Explorer):
    source = str(view.for_you.offered._esm)
    for kind in ("cards", "knob", "map"):
        assert re.search(rf"\b{kind}: render", source)
    traits = set(re.findall(r'model\.get\("(\w+)"\)', source))
    known = {name for kind in Component.__subclasses__() for name in kind.class_trait_names()}
    assert traits <= known


def test_each_tab_has_a_twin_that_needs_no_kernel(view: Explorer):
    view.act("rate", view.for_you.offered.movie_ids[0], 4.0)
    twins = []
    for tab in range(4):
        view.tabs.selected_index = tab
        twins.append(unescape(view.static()))
    title = spoken_title(view.recommender.title(view.for_you.list.movie_ids[0]))
    assert title in twins[FOR_YOU]
    assert "People in the data who like it most" in twins[FILM]
    assert f"Person {view.person.user.value}" in twins[PERSON]
    assert "<svg" in twins[MAP]


def test_it_opens_where_it_is_told_and_refuses_unknown_ids(small_best: Run):
    film = int(small_best.tables.movies["movie_id"][3])
    view = explorer(small_best.recommender, user_id=9, movie_id=film)
    assert (view.person.user.value, view.search.found.value) == (9, film)
    ratings = small_best.tables.ratings["user_id"].value_counts()
    active = explorer(small_best.recommender).person.user.value
    assert np.mean(ratings > ratings[active]) == pytest.approx(0.1, abs=0.02)
    with pytest.raises(InputError, match="unknown user id 0"):
        explorer(small_best.recommender, user_id=0)
