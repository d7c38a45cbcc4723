"""The explorer: every mode of recommendation, to click through in JupyterLab or on a page.

Its callbacks are plain: setting a control's `value` from Python does what a click does, `act` what
a click on a card does, and what goes wrong raises there. Everything that comes from data is escaped
before it is shown. What a visitor does stays in their `Explorer`: the recommender is only read, and
several explorers may share it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets
import numpy as np
import pandas as pd

from movierec.data.features import GENDERS
from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS, Tables
from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer import cards, filmmap
from movierec.explorer.components import CardGrid, Knob, MapView
from movierec.explorer.visitor import Visitor, offers, read_profile, write_profile
from movierec.recommend.recommender import LIKING, Recommender

if TYPE_CHECKING:
    from movierec.metadata.provider import Details
    from movierec.recommend.people import Person

FOR_YOU, FILM, PERSON, MAP = range(4)
TABS = ("For you", "A film", "A person", "Map")
ASKED = 6  # films offered to be rated
FOUND = 6  # films listed under a search box
LIKENESS = 60.0  # a title less like the text than this (0 to 100) is no answer to a search
PEOPLE = 8  # who like a film
STYLE = {"description_width": "initial"}
WIDE = ipywidgets.Layout(width="min(30em, 100%)")
LIKED_BY_MANY = "watched and liked by many"  # the reason while nothing is known of somebody
NOT_TOLD = ""  # a menu whose value is None would stand empty
WHY = ("why", "Why this film?")
MORE = ("film", "More like this")


class FilmDetails(Protocol):
    """Who knows more of films than the data does; `Metadata` is one.

    Attributes:
        attribution: what a page that shows the answers has to say.
        language: of the titles, such as "zh-CN".
    """

    attribution: str
    language: str

    def known(self, movie_id: int) -> Details | None:
        """What is known by now, at once."""

    def ask(self, films: pd.DataFrame, done: Callable[[int, Details], None]) -> None:
        """Find out more about `movie_id`, `title`, `year`; answers come from another thread."""


def explorer(
    recommender: Recommender,
    user_id: int | None = None,
    movie_id: int | None = None,
    metadata: FilmDetails | None = None,
) -> Explorer:
    """An explorer of a run's recommendations.

    Args:
        recommender: `run.recommender`.
        user_id: the known person to begin with; an active user when not given.
        movie_id: the film to begin with; the most rated one when not given.
        metadata: who is asked for posters, titles and plots; None: nobody.

    Raises:
        InputError: an unknown user or film.
    """
    tables = recommender.tables
    user_id = active_user(tables) if user_id is None else user_id
    movie_id = int(tables.ratings["movie_id"].mode()[0]) if movie_id is None else movie_id
    recommender.predict([user_id], [movie_id])  # refuses an unknown id
    return Explorer(recommender, user_id, movie_id, metadata)


@dataclass
class _Shown:
    """A card as it was asked for, so that it can be drawn again when more is known of its film."""

    film: Any
    stars: float | None = None
    given: float | None = None
    why: str = ""
    rate: bool = False
    buttons: tuple[tuple[str, str], ...] = ()


class FilmSearch(ipywidgets.VBox):
    """A text, and the films whose titles come nearest to it, one of them chosen.

    Attributes:
        text, found: the controls; `found.value` is the chosen film's id, or None.
    """

    def __init__(self, recommender: Recommender, movie_id: int) -> None:
        self._recommender = recommender
        self.text = ipywidgets.Text(
            description="Find a film",
            placeholder="type a title or part of it",
            tooltip="Type a title; the nearest titles appear below as you type",
            style=STYLE,
            layout=WIDE,
        )
        self.found = ipywidgets.Select(
            options=self._option(movie_id),
            description="Films found",
            tooltip="The films that were found; choose one",
            rows=FOUND,
            style=STYLE,
            layout=WIDE,
        )
        super().__init__([self.text, self.found])
        self.text.observe(self._find, "value")

    def choose(self, movie_id: int) -> None:
        """Choose a film without typing."""
        if movie_id not in [option for _, option in self.found.options]:
            with self.hold_trait_notifications():
                self.found.options = self._option(movie_id)
        self.found.value = movie_id

    def _find(self, _: Any) -> None:
        text = self.text.value.strip()
        if text:
            found = self._recommender.find(text, FOUND)
            found = found[found["score"] >= LIKENESS]
            options = [(film.title, int(film.movie_id)) for film in found.itertuples()]
            self.found.options = options
            self.found.index = 0 if options else None

    def _option(self, movie_id: int) -> list[tuple[str, int]]:
        return [(self._recommender.title(movie_id), movie_id)]


class Tuning(ipywidgets.VBox):
    """How the films of every list are chosen.

    Attributes:
        toggle: shows or hides the panel.
        variety, adventure, liking: knobs; `liking` does not count where the run does not know what
            is watched.
        k, seed, again: how many films; which draw, and the next one.
        genres: a checkbox for each genre; none ticked: all.
        first_year, last_year: between which films must be made.
    """

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self.toggle = ipywidgets.ToggleButton(False, description="Tune the lists")
        self.adventure = Knob(
            "Adventurousness",
            {
                0.0: "the plain best, the same each time",
                0.1: "now and then a film from further down",
                0.7: "lively: another mix with each draw",
                1.4: "daring: anything from the best fifth dozen",
            },
            0.0,
            max=2.0,
        )
        self.variety = Knob(
            "Variety",
            {
                0.0: "the best films, however alike",
                0.1: "a little mixed",
                0.4: "well mixed",
                0.8: "as unlike each other as can be",
            },
            0.0,
        )
        self.liking = Knob(
            "Sure bet or true love",
            {
                0.0: "what people like you go and see",
                0.2: "rather what people like you go and see",
                0.4: "likely to be seen, and to be liked",
                0.6: "rather what you would love",
                0.9: "only what you would love, known or not",
            },
            LIKING,
        )
        self.k = ipywidgets.Dropdown(
            options=[6, 12, 18, 24], value=12, description="How many films", style=STYLE
        )
        self.k.layout.width = "auto"
        self.seed = ipywidgets.BoundedIntText(
            0,
            min=0,
            max=2**31 - 1,
            description="Seed of the draw",
            tooltip="The same seed draws the same films again",
            style=STYLE,
            layout=ipywidgets.Layout(width="15em"),
        )
        self.again = ipywidgets.Button(description="Draw again", tooltip="Takes the next seed")
        years = recommender.features.years[recommender.features.movies.used]
        years = years[np.isfinite(years)]
        first, last = (int(years.min()), int(years.max())) if len(years) else (0, 0)
        self.first_year, self.last_year = (
            ipywidgets.BoundedIntText(
                value,
                min=first,
                max=last,
                description=name,
                style=STYLE,
                layout=ipywidgets.Layout(width="12em"),
            )
            for value, name in ((first, "From the year"), (last, "to the year"))
        )
        self.genres = [
            ipywidgets.Checkbox(
                False, description=genre, indent=False, layout=ipywidgets.Layout(width="auto")
            )
            for genre in recommender.features.genres[1:]
        ]
        self.clear = ipywidgets.Button(description="All genres and years")
        knobs = [self.adventure, self.variety]
        without = []
        if recommender.watching is None:
            without = [
                ipywidgets.HTML(
                    cards.note(
                        "This run knows how films are liked, but not which are watched together: "
                        "lists follow the predicted stars alone. A run of recipe best knows both."
                    )
                )
            ]
        else:
            knobs.append(self.liking)
        self._panel = _panel(
            _row(*knobs),
            _row(self.k, self.seed, self.again),
            *without,
            _text("<b>Only these genres</b> (none ticked: all)"),
            _row(*self.genres),
            *([_row(self.first_year, self.last_year)] if len(years) else []),
            _row(self.clear),
        )
        self._panel.layout.display = "none"
        super().__init__([_row(self.toggle), self._panel])
        self.toggle.observe(self._show, "value")
        self.adventure.observe(self._drawn, "value")
        self.again.on_click(self._draw_again)
        self.clear.on_click(self._clear)
        self._drawn(None)

    def watch(self, changed: Callable[[Any], None]) -> None:
        """Tell of every change of a setting."""
        for control in (self.adventure, self.variety, self.liking, self.k, self.seed):
            control.observe(changed, "value")
        for control in (*self.genres, self.first_year, self.last_year):
            control.observe(changed, "value")

    def settings(self) -> dict[str, Any]:
        """Arguments of the recommender's modes."""
        chosen: dict[str, Any] = {
            "k": self.k.value,
            "temperature": self.adventure.value,
            "seed": self.seed.value,
            "variety": self.variety.value,
        }
        genres = [box.description for box in self.genres if box.value]
        low, high = sorted((self.first_year.value, self.last_year.value))  # in either order
        years = (
            low if low > self.first_year.min else None,
            high if high < self.last_year.max else None,
        )
        if genres or years != (None, None):
            chosen["among"] = self._recommender.where(genres=genres, years=years)
        return chosen

    def for_people(self) -> dict[str, Any]:
        """The same for lists of a person, who may care more for seeing or for loving a film."""
        known = self._recommender.watching is not None
        return self.settings() | ({"liking": self.liking.value} if known else {})

    def _show(self, _: Any) -> None:
        self._panel.layout.display = None if self.toggle.value else "none"
        self.toggle.description = "Hide the tuning" if self.toggle.value else "Tune the lists"

    def _drawn(self, _: Any) -> None:
        self.seed.disabled = self.again.disabled = self.adventure.value == 0

    def _draw_again(self, _: Any) -> None:
        self.seed.value += 1

    def _clear(self, _: Any) -> None:
        for box in self.genres:
            box.value = False
        self.first_year.value = self.first_year.min
        self.last_year.value = self.last_year.max


class Explorer(ipywidgets.VBox):
    """Four tabs; the lists of the open one follow every control.

    Attributes:
        tabs: the modes, by `selected_index`: `FOR_YOU`, `FILM`, `PERSON`, `MAP`.
        tuning: how lists are chosen, in all tabs.
        visitor: what the visitor has told.
        gender, age, job: what they may tell of themselves; hidden where the data knows none of it.
        offered, list, rated: films to rate, the films for the visitor, the films rated.
        other, search_to_rate, found_to_rate: ask about other films; find one to rate.
        save, load, file_message: the profile as a file.
        search: the film of the tabs `FILM`, `PERSON` and `MAP`.
        film, similar, also: its card; films like it; what people who like it also like.
        people: these people.
        user, somebody, exclude_seen: the known person; the next one; whether films that they have
            rated are left out.
        person, person_list, history: who they are; their list; their best films.
        map: the map of films.
    """

    def __init__(
        self,
        recommender: Recommender,
        user_id: int,
        movie_id: int,
        metadata: FilmDetails | None = None,
    ) -> None:
        self.recommender = recommender
        self.metadata = metadata
        self.visitor = Visitor()
        self.tuning = Tuning(recommender)
        self.search = FilmSearch(recommender, movie_id)
        self._shown: dict[CardGrid, list[_Shown]] = {}
        self._lock = threading.RLock()  # answers about films come from other threads
        self._loop = _running_loop()
        self._films = recommender.tables.movies.set_index("movie_id", drop=False)
        self._map: filmmap.FilmMap | None = None
        self._loading = False
        self.star_values = recommender.star_values
        self.tabs = ipywidgets.Tab(
            [self._for_you_tab(), self._film_tab(), self._person_tab(user_id), self._map_tab()],
            titles=TABS,
        )
        parts = [_text(self._heading()), self.tuning, self.tabs]
        if metadata is not None:
            parts.append(_text(f'<p class="mr-subtitle">{escape(metadata.attribution)}</p>'))
        super().__init__(parts)
        self.add_class("mr-explorer")
        self.tuning.watch(self._refresh)
        self.tabs.observe(self._refresh, "selected_index")
        self.search.found.observe(self._refresh, "value")
        for control in (self.user, self.exclude_seen):
            control.observe(self._refresh, "value")
        for control in (self.gender, self.age, self.job):
            control.observe(self._told, "value")
        self.search_to_rate.observe(self._find_to_rate, "value")
        self.other.on_click(self._offer_others)
        self.somebody.on_click(self._somebody_else)
        self.load.observe(self._load, "value")
        # what is computed once, so that no visitor's first click waits for it
        recommender.find("", 1)
        recommender.raters(0)
        if recommender.newcomers is not None:
            self._offer_others()
        self._refresh()

    # --- what the tabs hold ------------------------------------------------------------------

    def _for_you_tab(self) -> ipywidgets.Widget:
        recommender = self.recommender
        jobs = recommender.tables.occupations if recommender.features.user_fields else ()
        self.gender = _choice("Gender", [("woman", "F"), ("man", "M")])
        self.age = _choice("Age", list(zip(AGE_BAND_NAMES, AGE_BANDS, strict=True)))
        self.job = _choice("Job", [(name, code) for code, name in enumerate(jobs)])
        self.offered = self._grid("Do you know these?")
        self.other = ipywidgets.Button(description="Ask me about other films")
        self.search_to_rate = ipywidgets.Text(
            description="Rate a film of your own",
            placeholder="type a title",
            tooltip="Type a title; films to rate appear below as you type",
            style=STYLE,
            layout=WIDE,
        )
        self.found_to_rate = self._grid("", look="compact")
        self.list = self._grid("Films for you")
        self.rated = self._grid("Your films", look="compact")
        self.save = ipywidgets.HTML()
        self.load = ipywidgets.FileUpload(
            accept=".json,application/json", multiple=False, description="Load my profile"
        )
        self.file_message = ipywidgets.HTML()
        if recommender.newcomers is None:
            return ipywidgets.VBox(
                [
                    _text(
                        cards.note(
                            "This run was made without what it takes to serve somebody new, so "
                            "there is no list for you here. Train it again with movierec train, "
                            "or look at the other tabs."
                        )
                    )
                ]
            )
        about = [_text("About you, if you like:"), _row(self.gender, self.age, self.job)]
        return ipywidgets.VBox(
            [
                _text(
                    "<p>Give stars to films you know. Each one changes your list below; nothing "
                    "is kept unless you save it.</p>"
                ),
                self.offered,
                _row(self.other),
                self.search_to_rate,
                self.found_to_rate,
                *(about if jobs else []),
                self.list,
                self.rated,
                _row(self.save, self.load),
                self.file_message,
            ]
        )

    def _film_tab(self) -> ipywidgets.Widget:
        self.film = self._grid("The film", look="one")
        self.similar = self._grid("Films like it")
        self.also = self._grid("People who like it also like")
        self.people = ipywidgets.HTML()
        return ipywidgets.VBox([self.search, self.film, self.similar, self.also, self.people])

    def _person_tab(self, user_id: int) -> ipywidgets.Widget:
        self.user = ipywidgets.IntText(
            user_id,
            description="Person",
            tooltip="The id of a person in the data",
            style=STYLE,
            layout=ipywidgets.Layout(width="12em"),
        )
        self.somebody = ipywidgets.Button(description="Somebody else")
        self.exclude_seen = ipywidgets.Checkbox(
            True, description="Leave out films they have rated", indent=False
        )
        self.exclude_seen.layout.width = "auto"
        self.person = ipywidgets.HTML()
        self.person_list = self._grid("Films for them")
        self.history = ipywidgets.HTML()
        self.verdict = ipywidgets.HTML()
        return ipywidgets.VBox(
            [
                _row(self.user, self.somebody, self.exclude_seen),
                self.person,
                self.person_list,
                self.history,
                _text('<h2 class="mr-heading">Would they like it?</h2>'),
                self.search,
                self.verdict,
            ]
        )

    def _map_tab(self) -> ipywidgets.Widget:
        self.map = MapView(self.act)
        self.map_words = ipywidgets.HTML()
        self.map_legend = ipywidgets.HTML()
        return ipywidgets.VBox([self.search, self.map, self.map_legend, self.map_words])

    # --- what a visitor does -----------------------------------------------------------------

    def act(self, action: str, movie_id: int, value: Any = None) -> None:
        """Do what a click on a card, or on the map, does.

        Args:
            action: "rate" (with the stars as `value`), "unknown" (don't know it), "back" (take back
                what was said of it), "why" (its reasons), or "film" (look at it).
            movie_id: the film.
            value: stars.

        Raises:
            InputError: an unknown film or action, or stars that the data does not have.
        """
        title = spoken_title(self.recommender.title(movie_id))  # refuses an unknown film
        if action == "film":
            self.search.choose(movie_id)
            if self.tabs.selected_index not in (FILM, MAP):
                self.tabs.selected_index = FILM
        elif action == "why":
            self._tell_why(movie_id)
        elif action in ("rate", "unknown", "back"):
            self._answer(action, movie_id, value, title)
        else:
            raise InputError(f"got action {action!r}; expected rate, unknown, back, why or film")

    def _answer(self, action: str, movie_id: int, value: Any, title: str) -> None:
        if action == "rate":
            if isinstance(value, bool) or value not in self.star_values:
                raise InputError(f"got {value!r} stars; expected one of {self.star_values}")
            self.visitor.rate(movie_id, float(value))
            said = f"You gave {title} {_stars(float(value))}."
        elif action == "unknown":
            self.visitor.pass_over(movie_id)
            said = f"You don’t know {title}."
        else:
            self.visitor.take_back(movie_id)
            said = f"What you said of {title} is taken back."
        shown = self.offered.movie_ids
        if movie_id in shown and action != "back":  # another one in its place, the rest stay
            others = [film for film in shown if film != movie_id]
            shown[shown.index(movie_id) : shown.index(movie_id) + 1] = offers(
                self.recommender, self.visitor, 1, others
            )
            self._show_offers(shown)
        self.offered.status = said
        if self.search_to_rate.value:
            self._find_to_rate()
        self._refresh()

    def _offer_others(self, _: Any = None) -> None:
        """Ask about other films than those shown, which are not asked about for now."""
        aside = Visitor(self.visitor.ratings, [*self.visitor.unknown, *self.offered.movie_ids])
        found = offers(self.recommender, aside, ASKED) or offers(
            self.recommender, self.visitor, ASKED
        )
        self._show_offers(found)

    def _show_offers(self, movie_ids: Iterable[int]) -> None:
        buttons = (("unknown", "Don’t know it"),)
        shown = [_Shown(film, rate=True, buttons=buttons) for film in self._rows(movie_ids)]
        self._show(self.offered, shown)
        self.offered.status = (
            "These are the ones whose stars would tell most about your taste."
            if shown
            else "You have been asked about every film there is."
        )

    def _find_to_rate(self, _: Any = None) -> None:
        text = self.search_to_rate.value.strip()
        found = self.recommender.find(text, 4) if text else pd.DataFrame()
        films = self._rows(found.loc[found["score"] >= LIKENESS, "movie_id"]) if text else []
        self._show(self.found_to_rate, [self._own_film(film) for film in films])
        self.found_to_rate.status = _no_title(text) if text and not films else ""

    def _told(self, _: Any = None) -> None:
        told = [self.gender.value, self.age.value, self.job.value]
        told = [None if value == NOT_TOLD else value for value in told]
        self.visitor.gender, self.visitor.age, self.visitor.occupation = told
        if not self._loading:
            self._refresh()

    def _somebody_else(self, _: Any = None) -> None:
        users = self.recommender.tables.users["user_id"].to_numpy()
        place = int(np.searchsorted(users, self.user.value)) + len(users) * 7 // 19 + 1
        self.user.value = int(users[place % len(users)])

    def _load(self, _: Any = None) -> None:
        if not self.load.value:
            return
        content = bytes(self.load.value[0]["content"])
        self.load.value = ()  # so that the same file can be chosen again
        try:
            visitor, left_out = read_profile(self.recommender, content)
        except InputError as error:
            self.file_message.value = cards.note(f"Not loaded: {error}.")
            return
        self.visitor = visitor
        self._loading = True
        try:
            told = (visitor.gender, visitor.age, visitor.occupation)
            for control, value in zip((self.gender, self.age, self.job), told, strict=True):
                control.value = NOT_TOLD if value is None else value
        finally:
            self._loading = False
        said = f"Loaded: {_count(len(visitor.ratings), 'film')} with your stars."
        if left_out:
            said += f" {_count(left_out, 'film')} left out, which this data does not have."
        self.file_message.value = cards.note(said)
        self._show_offers(offers(self.recommender, visitor, ASKED))
        self._refresh()

    # --- what is shown -----------------------------------------------------------------------

    def _refresh(self, _: Any = None) -> None:
        with self._lock:
            show = (self._refresh_you, self._refresh_film, self._refresh_person, self._refresh_map)
            show[self.tabs.selected_index or 0]()

    def _refresh_you(self) -> None:
        if self.recommender.newcomers is None:
            return
        person = self.visitor.person(self.recommender)
        films = self.recommender.for_user(person, **self.tuning.for_people())
        self._show(self.list, self._listed(films, person))
        known = _count(len(self.visitor.ratings), "film")
        self.list.status = (
            self._nothing_left()
            if films.empty
            else f"From your stars for {known}{self._drawn()}."
            if self.visitor.ratings
            else f"What most people like, until you give stars{self._drawn()}."
        )
        own = reversed(self.visitor.ratings)  # the latest first
        self._show(self.rated, [self._own_film(film) for film in self._rows(own)])
        self.rated.status = (
            "" if self.visitor.ratings else "None yet. Films that you give stars to stand here."
        )
        profile = write_profile(self.recommender, self.visitor).encode()
        self.save.value = (
            '<a class="mr-download" download="movierec-profile.json" '
            f'href="data:application/json;base64,{base64.b64encode(profile).decode()}">'
            "Save my profile as a file</a>"
        )

    def _refresh_film(self) -> None:
        movie_id = self.search.found.value
        if movie_id is None:
            for grid in (self.film, self.similar, self.also):
                self._show(grid, [])
                grid.status = ""
            self.film.status = _no_title(self.search.text.value)
            self.people.value = ""
            return
        self.film.status = ""
        (film,) = self._rows([movie_id])
        own = self.recommender.newcomers is not None
        self._show(self.film, [_Shown(film, given=self.visitor.ratings.get(movie_id), rate=own)])
        settings = self.tuning.settings()
        similar = self.recommender.similar(movie_id, **settings)
        self._show(
            self.similar,
            [
                _Shown(film, why=self._together(movie_id, film.movie_id), buttons=(MORE,))
                for film in similar.itertuples()
            ],
        )
        also = self.recommender.also_liked(movie_id, **settings)
        self._show(self.also, self._listed(also, None, (MORE,)))
        alike = (
            "What the same people watch and, a little, what shares genres, years or words."
            if self.recommender.watching
            else "Films whose vectors point the same way."
        )
        fans = "What the people below, and those who know this film, would watch and like."
        for grid, films, said in ((self.similar, similar, alike), (self.also, also, fans)):
            grid.status = self._nothing_left() if films.empty else said
        people = self.recommender.people_who_like(movie_id, PEOPLE)
        if "predicted" not in people:
            people = people.rename(columns={"score": "predicted"})
        people["gender"] = (
            people["gender"].map({"F": "woman", "M": "man"}) if "gender" in people else ""
        )
        people = (
            people.drop(columns="gender") if not self.recommender.features.user_fields else people
        )
        self.people.value = cards.table(people, "People in the data who like it most")

    def _refresh_person(self) -> None:
        user_id = self.user.value
        try:
            films = self.recommender.for_user(
                user_id, exclude_seen=self.exclude_seen.value, **self.tuning.for_people()
            )
        except InputError as error:  # an id that nobody has: the visitor's slip, not ours
            self.person.value = cards.note(f"That cannot be answered: {error}.")
            self.history.value = self.verdict.value = ""
            self._show(self.person_list, [])
            self.person_list.status = ""
            return
        rated = rated_films(self.recommender, user_id)
        words = self._words(user_id)
        self.person.value = f"<p>Person {user_id}{escape(words)}, {len(rated):,} films rated.</p>"
        self._show(self.person_list, self._listed(films, self.recommender.person(user_id)))
        self.person_list.status = (
            self._nothing_left() if films.empty else f"From what they rated{self._drawn()}."
        )
        best = rated.head(self.tuning.k.value)[["title", "year", "genres", "rating"]]
        self.history.value = cards.table(best, f"Their best of {len(rated):,} rated films")
        self.verdict.value = self._verdict(user_id, rated)

    def _refresh_map(self) -> None:
        if self._map is None:
            self._map = filmmap.film_map(self.recommender)
            self.map.points = np.round(self._map.points).astype(int).tolist()
            self.map.ids = self._map.movie_ids.tolist()
            titles = self._films["title"].loc[self._map.movie_ids]
            self.map.titles = [spoken_title(title) for title in titles]
            self.map.svg = self._map.svg
            self.map_legend.value = filmmap.legend(self.recommender, self._map)
        movie_id = self.search.found.value
        if movie_id is None:
            self.map.marks, self.map_words.value = "", cards.note(_no_title(self.search.text.value))
            return
        settings = self.tuning.settings() | {"k": min(self.tuning.k.value, 8)}
        similar = self.recommender.similar(movie_id, **settings)
        titles = dict(zip(similar["movie_id"], similar["title"], strict=True))
        title = self.recommender.title(movie_id)
        own = list(self.visitor.ratings)
        self.map.marks = self._map.marks(
            movie_id, [int(film) for film in similar["movie_id"]], own, titles | {movie_id: title}
        )
        near = ", ".join(spoken_title(name) for name in similar["title"])
        said = f"{spoken_title(title)} (ring), and the films most like it: {near or 'none'}."
        if own:
            said += f" Squares: the {_count(len(own), 'film')} with your stars."
        self.map.description = f"Map of {len(self._map.points):,} films by likeness. {said}"
        self.map_words.value = (
            f'<p class="mr-html" role="status">{escape(said)} Films near each other are watched by '
            "the same people, as far as two dimensions can show it; point at one for its title, "
            "click on it to look at it.</p>"
        )

    def _tell_why(self, movie_id: int) -> None:
        """Open the reasons, in the tab from which they were asked for."""
        known = self.tabs.selected_index == PERSON
        person = (
            self.recommender.person(self.user.value)
            if known
            else self.visitor.person(self.recommender)
        )
        title = spoken_title(self.recommender.title(movie_id))
        if self.recommender.newcomers is None:
            html = cards.note("This run was made without what it takes to tell reasons.")
        elif not len(person.rated):
            html = cards.note(
                "You have not given any stars yet, so this is what people like in general"
                f"{' among people like you' if self._about_you() else ''}."
            )
        else:
            stars = float(self.recommender.predict_for(person, [movie_id])[0])
            reasons = self.recommender.explain(person, movie_id)
            html = cards.reasons_chart(reasons, stars, "they" if known else "you")
        grid = self.person_list if known else self.list
        grid.note = {"title": f"Why {title}?", "html": html}

    # --- cards -------------------------------------------------------------------------------

    def _grid(self, label: str, **traits: Any) -> CardGrid:
        grid = CardGrid(self.act, self._poster, label=label, star_values=self.star_values, **traits)
        self._shown[grid] = []
        return grid

    def _show(self, grid: CardGrid, shown: list[_Shown]) -> None:
        with self._lock:
            self._shown[grid] = shown
            grid.cards = [self._card(grid, card) for card in shown]
        if self.metadata is not None:
            wanted = [card.film.movie_id for card in shown]
            missing = [film for film in wanted if self.metadata.known(int(film)) is None]
            if missing:
                films = self._films.loc[missing, ["movie_id", "title", "year"]]
                self.metadata.ask(films.reset_index(drop=True), self._arrived)

    def _card(self, grid: CardGrid, card: _Shown) -> dict[str, Any]:
        movie_id = int(card.film.movie_id)
        details = None if self.metadata is None else self.metadata.known(movie_id)
        html = cards.film_card(
            card.film,
            self.recommender.features.genres,
            details,
            card.stars,
            card.given,
            card.why,
            plot=grid.look == "one",
            translated=self.metadata is not None and self.metadata.language[:2] != "en",
        )
        return {
            "movie_id": movie_id,
            "title": spoken_title(card.film.title),
            "html": html,
            "rate": card.rate,
            "given": card.given,
            "buttons": [list(button) for button in card.buttons],
            "poster": bool(details and details.poster),
        }

    def _arrived(self, movie_id: int, _: Details) -> None:
        """More is known of a film (told by another thread): its cards are drawn again."""
        if self._loop is None:
            self._draw_again(movie_id)
        else:  # between two messages of the page, so that neither is lost in the other
            self._loop.call_soon_threadsafe(self._draw_again, movie_id)

    def _draw_again(self, movie_id: int) -> None:
        with self._lock:
            for grid, shown in self._shown.items():
                if movie_id in grid.movie_ids:
                    grid.cards = [self._card(grid, card) for card in shown]

    def _poster(self, movie_id: int) -> bytes | None:
        details = None if self.metadata is None else self.metadata.known(movie_id)
        return None if details is None else details.poster

    def _rows(self, movie_ids: Iterable[int]) -> list[Any]:
        return list(self._films.loc[list(movie_ids)].itertuples(index=False))

    def _own_film(self, film: Any) -> _Shown:
        """A film with the visitor's stars, or to be given some."""
        given = self.visitor.ratings.get(int(film.movie_id))
        buttons = () if given is None else (("back", "Take back"),)
        return _Shown(film, given=given, rate=True, buttons=buttons)

    def _listed(
        self,
        films: pd.DataFrame,
        person: Person | None,
        buttons: tuple[tuple[str, str], ...] = (WHY, MORE),
    ) -> list[_Shown]:
        """Films with predicted stars and, for a person, a reason each."""
        why = [""] * len(films)
        if person is not None and self.recommender.newcomers is not None:
            why = self.recommender.because_each(person, films["movie_id"])
            nothing = "nothing that was rated speaks for it" if len(person.rated) else LIKED_BY_MANY
            why = [text or nothing for text in why]
            if person.user_idx is not None:  # said to the person, and here shown to somebody else
                why = [re.sub(r"^(\w+) you gave", r"\1 they gave", text) for text in why]
        stars = films["predicted" if "predicted" in films else "score"]
        return [
            _Shown(film, float(value), why=text[:1].upper() + text[1:], buttons=buttons)
            for film, value, text in zip(films.itertuples(), stars, why, strict=True)
        ]

    def _together(self, movie_id: int, other_id: int) -> str:
        text = cards.together(self.recommender.shared(movie_id, other_id))
        return text[:1].upper() + text[1:]

    def _verdict(self, user_id: int, rated: pd.DataFrame) -> str:
        movie_id = self.search.found.value
        if movie_id is None:
            return cards.note(_no_title(self.search.text.value))
        title = spoken_title(self.recommender.title(movie_id))
        stars = float(self.recommender.predict([user_id], [movie_id])[0])
        given = rated.loc[rated["movie_id"] == movie_id, "rating"]
        known = f"They gave it {given.iloc[0]:g}." if len(given) else "They have not rated it."
        return cards.note(f"They would give {title} {stars:.2f} stars. {known}")

    # --- words -------------------------------------------------------------------------------

    def static(self) -> str:
        """The open tab as HTML that needs no kernel."""
        grids: dict[int, list[CardGrid]] = {
            FOR_YOU: [self.offered, self.list, self.rated],
            FILM: [self.film, self.similar, self.also],
            PERSON: [self.person_list],
            MAP: [],
        }
        tab = self.tabs.selected_index or 0
        parts = [cards.static_grid(grid.cards, grid.label) for grid in grids[tab] if grid.cards]
        if tab == FILM:
            parts.append(self.people.value)
        elif tab == PERSON:
            parts = [self.person.value, *parts, self.history.value, self.verdict.value]
        elif tab == MAP:
            svg = self.map.svg.replace(
                '<g class="mr-marks">', f'<g class="mr-marks">{self.map.marks}'
            )
            parts = [svg, self.map_legend.value, self.map_words.value]
        return cards.styled("".join(parts))

    def _drawn(self) -> str:
        if self.tuning.adventure.value == 0:
            return ""
        return f"; drawn with seed {self.tuning.seed.value}"

    def _nothing_left(self) -> str:
        return (
            "No film is left with these genres and years. Untick some genres, or widen the years, "
            "under “Tune the lists”."
        )

    def _about_you(self) -> bool:
        told = (self.visitor.gender, self.visitor.age, self.visitor.occupation)
        return any(value is not None for value in told)

    def _words(self, user_id: int) -> str:
        fields = self.recommender.features.user_fields
        if not fields:
            return ""
        row = self.recommender.features.users.encode([user_id])[0]
        gender = {"F": "woman", "M": "man"}[GENDERS[fields["gender"][row]]]
        return (
            f" ({gender}, {AGE_BAND_NAMES[fields['age'][row]]}, "
            f"{self.recommender.tables.occupations[fields['job'][row]]})"
        )

    def _heading(self) -> str:
        tables = self.recommender.tables
        return (
            '<h1 class="mr-title-line">Which film next?</h1>'
            f'<p class="mr-subtitle">{escape(tables.name)}: {len(tables.users):,} people, '
            f"{len(tables.movies):,} films, {len(tables.ratings):,} ratings</p>"
        )


def active_user(tables: Tables) -> int:
    """The id of a user with many ratings (one in ten has more) and half the films still to see."""
    counts = tables.ratings["user_id"].value_counts().sort_index().sort_values(kind="stable")
    roomy = int((counts <= len(tables.movies) / 2).sum())
    return int(counts.index[min(int(0.9 * len(counts)), max(roomy - 1, 0))])


def rated_films(recommender: Recommender, user_id: int) -> pd.DataFrame:
    """What a user has rated.

    Returns:
        `movie_id`, `title`, `year`, `genres`, `rating`; the best first, of equals the latest.
    """
    tables = recommender.tables
    rated = tables.ratings[tables.ratings["user_id"] == user_id].merge(tables.movies, on="movie_id")
    rated = rated.sort_values(["rating", "timestamp", "movie_id"], ascending=[False, False, True])
    return rated[["movie_id", "title", "year", "genres", "rating"]].reset_index(drop=True)


def _choice(name: str, options: list[tuple[str, Any]]) -> ipywidgets.Dropdown:
    """A question that need not be answered."""
    return ipywidgets.Dropdown(
        options=[("not told", NOT_TOLD), *options],
        value=NOT_TOLD,
        description=name,
        style=STYLE,
        layout=ipywidgets.Layout(width="auto"),
    )


def _row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    return ipywidgets.Box(list(children)).add_class("mr-row")


def _panel(*children: ipywidgets.Widget) -> ipywidgets.Box:
    return ipywidgets.VBox(list(children)).add_class("mr-panel")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The kernel's loop; None in a plain Python."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _text(html: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(html)


def _no_title(text: str) -> str:
    return (
        f"No film has a title like “{text.strip()}”. Try another spelling, or a single word of "
        "the title."
    )


def _stars(stars: float) -> str:
    return "1 star" if stars == 1 else f"{stars:g} stars"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
