"""A person of the data: their list, their history, and whether they would like a film."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd

from movierec.data.titles import spoken_title
from movierec.errors import InputError
from movierec.explorer import cards
from movierec.explorer.gallery import with_reasons
from movierec.explorer.layout import STYLE, row
from movierec.explorer.people import described, rated_films
from movierec.explorer.session import Session
from movierec.explorer.tuning import NOTHING_LEFT


class PersonTab(ipywidgets.VBox):
    """A known person.

    Attributes:
        user, somebody, exclude_seen: the person's id; the next one; whether films that they have
            rated are left out.
        who, list, history: who they are; their list; their best films.
        verdict: what they would give the film of the search.
    """

    def __init__(self, session: Session, user_id: int) -> None:
        self._session = session
        self.user = ipywidgets.IntText(
            user_id,
            description="Person",
            tooltip="The id of a person in the data",
            style=STYLE,
            layout={"width": "12em"},
        )
        self.somebody = ipywidgets.Button(description="Somebody else")
        self.exclude_seen = ipywidgets.Checkbox(
            True,
            description="Leave out films they have rated",
            indent=False,
            layout={"width": "auto"},
        )
        self.who = ipywidgets.HTML()
        self.list = session.gallery.grid("Films for them")
        self.history = ipywidgets.HTML()
        self.verdict = ipywidgets.HTML()
        super().__init__(
            [
                row(self.user, self.somebody, self.exclude_seen),
                self.who,
                self.list,
                self.history,
                ipywidgets.HTML('<h2 class="mr-heading">Would they like it?</h2>'),
                session.search,
                self.verdict,
            ]
        )
        for control in (self.user, self.exclude_seen):
            control.observe(self._changed, "value")
        self.somebody.on_click(self._somebody_else)

    def refresh(self) -> None:
        """Show the person who is chosen now."""
        session, recommender, user_id = self._session, self._session.recommender, self.user.value
        try:
            films = recommender.for_user(
                user_id, exclude_seen=self.exclude_seen.value, **session.tuning.for_people()
            )
        except InputError as error:  # an id that nobody has: the visitor's slip, not ours
            self.who.value = cards.note(f"That cannot be answered: {error}.")
            self.history.value = self.verdict.value = ""
            self.list.show([])
            self.list.status = ""
            return
        rated = rated_films(recommender, user_id)
        words = described(recommender, user_id)
        who = f"Person {user_id}{f' ({words})' if words else ''}"
        self.who.value = f"<p>{escape(who)}, {len(rated):,} films rated.</p>"
        self.list.show(with_reasons(recommender, films, recommender.person(user_id)))
        self.list.status = (
            NOTHING_LEFT if films.empty else f"From what they rated{session.tuning.drawn()}."
        )
        best = rated.head(session.tuning.k.value)[["title", "year", "genres", "rating"]]
        self.history.value = cards.table(best, f"Their best of {len(rated):,} rated films")
        self.verdict.value = cards.note(self._verdict(user_id, rated))

    def tell_why(self, movie_id: int) -> None:
        """Open the reasons for a film of their list."""
        person = self._session.recommender.person(self.user.value)
        nothing = "They have not given any stars, so this is what people like in general."
        self.list.tell_why(person, movie_id, "they", nothing)

    def static(self) -> str:
        """The tab as HTML that needs no kernel."""
        parts = (self.who.value, self.list.static(), self.history.value, self.verdict.value)
        return "".join(parts)

    def _verdict(self, user_id: int, rated: pd.DataFrame) -> str:
        recommender, search = self._session.recommender, self._session.search
        movie_id = search.found.value
        if movie_id is None:
            return search.sorry()
        title = spoken_title(recommender.title(movie_id))
        stars = float(recommender.predict([user_id], [movie_id])[0])
        given = rated.loc[rated["movie_id"] == movie_id, "rating"]
        known = f"They gave it {given.iloc[0]:g}." if len(given) else "They have not rated it."
        return f"They would give {title} {stars:.2f} stars. {known}"

    def _changed(self, _: Any) -> None:
        self.refresh()

    def _somebody_else(self, _: Any) -> None:
        users = self._session.recommender.tables.users["user_id"].to_numpy()
        place = int(np.searchsorted(users, self.user.value)) + len(users) * 7 // 19 + 1
        self.user.value = int(users[place % len(users)])
