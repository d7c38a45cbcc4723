"""For you: the visitor gives stars, tells of themselves, and has a list."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import ipywidgets

from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS
from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer import cards
from movierec.explorer.gallery import FilmCard, count_films, own_film, with_reasons
from movierec.explorer.layout import STYLE, row
from movierec.explorer.search import nearest, no_title, title_box
from movierec.explorer.session import Session
from movierec.explorer.tuning import NOTHING_LEFT
from movierec.explorer.visitor import Visitor, offers, read_profile, write_profile

ASKED = 6  # films offered to be rated
FOUND = 4  # films shown below the title that a visitor types
NOT_TOLD = ""  # a menu whose value is None would stand empty


class ForYouTab(ipywidgets.VBox):
    """The visitor.

    Attributes:
        offered, others: films to rate; ask about others.
        title, found: type a title; the films found, to rate.
        gender, age, job: what they may tell of themselves; hidden where the data knows none of it.
        list, rated: the films for the visitor, the films rated.
        save, load, message: the profile as a file, and what came of loading one.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._loading = False
        recommender, grid = session.recommender, session.gallery.grid
        jobs = recommender.tables.occupations if recommender.features.user_fields else ()
        self.gender = _question("Gender", [("woman", "F"), ("man", "M")])
        self.age = _question("Age", list(zip(AGE_BAND_NAMES, AGE_BANDS, strict=True)))
        self.job = _question("Job", [(name, code) for code, name in enumerate(jobs)])
        self.offered = grid("Do you know these?")
        self.others = ipywidgets.Button(description="Ask me about other films")
        self.title = title_box(
            "Rate a film of your own",
            "type a title",
            "Type a title; films to rate appear below as you type",
        )
        self.found = grid("", look="compact")
        self.list = grid("Films for you")
        self.rated = grid("Your films", look="compact")
        self.save = ipywidgets.HTML()
        self.load = ipywidgets.FileUpload(
            accept=".json,application/json",
            multiple=False,
            description="Load my profile",
            tooltip="From a file that was saved here",
        )
        self.message = ipywidgets.HTML()
        about = (
            ipywidgets.HTML("About you, if you like:"),
            row(self.gender, self.age, self.job),
        )
        super().__init__(
            [
                ipywidgets.HTML(
                    "<p>Give stars to films you know. Each one changes your list below; nothing "
                    "is kept unless you save it.</p>"
                ),
                self.offered,
                row(self.others),
                self.title,
                self.found,
                *(about if jobs else ()),
                self.list,
                self.rated,
                row(self.save, self.load),
                self.message,
            ]
        )
        self.others.on_click(self._offer_others)
        self.title.observe(self._title_changed, "value")
        for control in (self.gender, self.age, self.job):
            control.observe(self._told, "value")
        self.load.observe(self._load, "value")

    def refresh(self) -> None:
        """Show what follows from all that the visitor has told."""
        session, recommender = self._session, self._session.recommender
        visitor = session.visitor
        person = visitor.person(recommender)
        films = recommender.for_user(person, **session.tuning.for_people())
        self.list.show(with_reasons(recommender, films, person))
        drawn = session.tuning.drawn()
        self.list.status = (
            NOTHING_LEFT
            if films.empty
            else f"From your stars for {count_films(len(visitor.ratings))}{drawn}."
            if visitor.ratings
            else f"What most people like, until you give stars{drawn}."
        )
        own = session.gallery.films(reversed(visitor.ratings))  # the latest first
        self.rated.show([own_film(film, visitor) for film in own])
        self.rated.status = "" if own else "None yet. Films that you give stars to stand here."
        profile = base64.b64encode(write_profile(recommender, visitor).encode()).decode()
        self.save.value = (
            '<a class="mr-download" download="movierec-profile.json" '
            f'href="data:application/json;base64,{profile}">Save my profile as a file</a>'
        )

    def offer_others(self) -> None:
        """Ask about other films than those shown, which are not asked about for now."""
        recommender, visitor = self._session.recommender, self._session.visitor
        aside = Visitor(visitor.ratings, [*visitor.unknown, *self.offered.movie_ids])
        self._offer(offers(recommender, aside, ASKED) or offers(recommender, visitor, ASKED))

    def answer(self, action: str, movie_id: int, value: Any = None) -> None:
        """Take in what the visitor says of a film, which is no longer asked about.

        Args:
            action: "rate" (with the stars as `value`), "unknown" or "back", as in `Explorer.act`.
            movie_id: the film.
            value: stars.

        Raises:
            InputError: an unknown film, or stars that the data does not have.
        """
        recommender, visitor = self._session.recommender, self._session.visitor
        title = spoken_title(recommender.title(movie_id))
        if action == "rate":
            stars = recommender.star_values
            if isinstance(value, bool) or value not in stars:
                raise InputError(f"got {value!r} stars; expected one of {stars}")
            visitor.rate(movie_id, float(value))
            said = f"You gave {title} {'1 star' if value == 1 else f'{value:g} stars'}."
        elif action == "unknown":
            visitor.pass_over(movie_id)
            said = f"You don’t know {title}."
        else:
            visitor.take_back(movie_id)
            said = f"What you said of {title} is taken back."
        shown = self.offered.movie_ids
        if movie_id in shown and action != "back":  # another one in its place, the rest stay
            others = [film for film in shown if film != movie_id]
            place = shown.index(movie_id)
            shown[place : place + 1] = offers(recommender, visitor, 1, others)
            self._offer(shown)
        self.offered.status = said
        if self.title.value:
            self._find()

    def tell_why(self, movie_id: int) -> None:
        """Open the reasons for a film of the visitor's list."""
        visitor = self._session.visitor
        told = (visitor.gender, visitor.age, visitor.occupation)
        among = "" if told == (None, None, None) else " among people like you"
        nothing = (
            f"You have not given any stars yet, so this is what people like in general{among}."
        )
        self.list.tell_why(visitor.person(self._session.recommender), movie_id, "you", nothing)

    def static(self) -> str:
        """The tab as HTML that needs no kernel."""
        return "".join(grid.static() for grid in (self.offered, self.list, self.rated))

    def _offer(self, movie_ids: Iterable[int]) -> None:
        buttons = (("unknown", "Don’t know it"),)
        films = self._session.gallery.films(movie_ids)
        self.offered.show([FilmCard(film, rate=True, buttons=buttons) for film in films])
        self.offered.status = (
            "These are the ones whose stars would tell most about your taste."
            if films
            else "You have been asked about every film there is."
        )

    def _find(self) -> None:
        session, text = self._session, self.title.value.strip()
        ids = nearest(session.recommender, text, FOUND)["movie_id"] if text else ()
        self.found.show([own_film(film, session.visitor) for film in session.gallery.films(ids)])
        self.found.status = no_title(text) if text and not self.found.cards else ""

    # --- controls ----------------------------------------------------------------------------

    def _offer_others(self, _: Any) -> None:
        self.offer_others()

    def _title_changed(self, _: Any) -> None:
        self._find()

    def _told(self, _: Any) -> None:
        if self._loading:  # the visitor has told it already
            return
        told = [self.gender.value, self.age.value, self.job.value]
        told = [None if value == NOT_TOLD else value for value in told]
        visitor = self._session.visitor
        visitor.gender, visitor.age, visitor.occupation = told
        self.refresh()

    def _load(self, _: Any) -> None:
        if not self.load.value:
            return
        content = bytes(self.load.value[0]["content"])
        self.load.value = ()  # so that the same file can be chosen again
        try:
            visitor, left_out = read_profile(self._session.recommender, content)
        except InputError as error:
            self.message.value = cards.note(f"Not loaded: {error}.")
            return
        self._session.visitor = visitor
        self._loading = True
        try:
            told = (visitor.gender, visitor.age, visitor.occupation)
            for control, value in zip((self.gender, self.age, self.job), told, strict=True):
                control.value = NOT_TOLD if value is None else value
        finally:
            self._loading = False
        said = f"Loaded: {count_films(len(visitor.ratings))} with your stars."
        if left_out:
            said += f" {count_films(left_out)} left out, which this data does not have."
        self.message.value = cards.note(said)
        self._offer(offers(self._session.recommender, visitor, ASKED))
        self.refresh()


def _question(name: str, options: list[tuple[str, Any]]) -> ipywidgets.Dropdown:
    """A question that need not be answered."""
    return ipywidgets.Dropdown(
        options=[("not told", NOT_TOLD), *options],
        value=NOT_TOLD,
        description=name,
        style=STYLE,
        layout={"width": "auto"},
    )
