"""The explorer: every mode of recommendation, to click through in JupyterLab or on a page.

Its callbacks are plain: setting a control's `value` from Python does what a click does, `act` what
a click on a card does, and what goes wrong raises there. Everything that comes from data is escaped
before it is shown. What a visitor does stays in their `Explorer`: the recommender is only read, and
several explorers may share it.
"""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets

from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.explorer.cards import styled
from movierec.explorer.gallery import FilmDetails, Gallery
from movierec.explorer.people import active_user
from movierec.explorer.search import FilmSearch
from movierec.explorer.session import Session
from movierec.explorer.tabs.film import FilmTab
from movierec.explorer.tabs.for_you import ForYouTab
from movierec.explorer.tabs.map import MapTab
from movierec.explorer.tabs.person import PersonTab
from movierec.explorer.tuning import Tuning
from movierec.explorer.visitor import Visitor
from movierec.recommend.recommender import Recommender

FOR_YOU, FILM, PERSON, MAP = range(4)
TITLES = ("For you", "A film", "A person", "Map")


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
        InputError: an unknown user or film, or a recommender that cannot serve somebody new.
    """
    tables = recommender.tables
    user_id = active_user(tables) if user_id is None else user_id
    movie_id = int(tables.ratings["movie_id"].mode()[0]) if movie_id is None else movie_id
    recommender.predict([user_id], [movie_id])  # refuses an unknown id
    # what is computed once, so that no visitor's first click waits for it
    recommender.find("", 1)
    recommender.raters(0)
    return Explorer(recommender, user_id, movie_id, metadata)


class Explorer(ipywidgets.VBox):
    """Four tabs; the lists of the open one follow every control.

    Attributes:
        recommender: whose recommendations they are.
        tuning: how lists are chosen, in all tabs.
        search: the film of the tabs `FILM`, `PERSON` and `MAP`.
        tabs: which tab is open, by `selected_index`: `FOR_YOU`, `FILM`, `PERSON` or `MAP`.
        for_you, film, person, map: what they hold.
    """

    def __init__(
        self,
        recommender: Recommender,
        user_id: int,
        movie_id: int,
        metadata: FilmDetails | None,
    ) -> None:
        self.recommender = recommender
        self.tuning = Tuning(recommender)
        self.search = FilmSearch(recommender, movie_id)
        gallery = Gallery(recommender, metadata, self.act)
        self._session = Session(recommender, gallery, self.tuning, self.search)
        self.for_you = ForYouTab(self._session)
        self.film = FilmTab(self._session)
        self.person = PersonTab(self._session, user_id)
        self.map = MapTab(self._session)
        self._panes = (self.for_you, self.film, self.person, self.map)
        self.tabs = ipywidgets.Tab(self._panes, titles=TITLES)
        parts = [ipywidgets.HTML(_heading(recommender.tables)), self.tuning, self.tabs]
        if metadata is not None:
            said = f'<p class="mr-subtitle">{escape(metadata.attribution)}</p>'
            parts.append(ipywidgets.HTML(said))
        super().__init__(parts)
        self.add_class("mr-explorer")
        self.tuning.watch(self._refresh)
        self.tabs.observe(self._refresh, "selected_index")
        self.search.found.observe(self._refresh, "value")
        self.for_you.offer_others()
        self._refresh()

    @property
    def visitor(self) -> Visitor:
        """What the visitor has told."""
        return self._session.visitor

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
        self.recommender.title(movie_id)  # refuses an unknown film
        match action:
            case "film":
                self.search.choose(movie_id)
                if self.tabs.selected_index not in (FILM, MAP):
                    self.tabs.selected_index = FILM
            case "why":  # of the list from which it was asked
                known = self.tabs.selected_index == PERSON
                (self.person if known else self.for_you).tell_why(movie_id)
            case "rate" | "unknown" | "back":
                self.for_you.answer(action, movie_id, value)
                self._refresh()
            case _:
                raise InputError(
                    f"got action {action!r}; expected rate, unknown, back, why or film"
                )

    def static(self) -> str:
        """The open tab as HTML that needs no kernel."""
        return styled(self._open().static())

    def _open(self) -> ForYouTab | FilmTab | PersonTab | MapTab:
        return self._panes[self.tabs.selected_index or 0]

    def _refresh(self, _: Any = None) -> None:
        self._open().refresh()


def _heading(tables: Tables) -> str:
    return (
        '<h1 class="mr-title-line">Which film next?</h1>'
        f'<p class="mr-subtitle">{escape(tables.name)}: {len(tables.users):,} people, '
        f"{len(tables.movies):,} films, {len(tables.ratings):,} ratings</p>"
    )
