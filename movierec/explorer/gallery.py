"""Grids of films, whose cards are there at once and fill in when more is known of a film."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from movierec.data.titles import spoken_title
from movierec.explorer import cards
from movierec.explorer.components import CardGrid
from movierec.explorer.visitor import Visitor
from movierec.recommend.recommender import Recommender

if TYPE_CHECKING:
    from movierec.posters.provider import Details
    from movierec.recommend.people import Person

LIKED_BY_MANY = "watched and liked by many"  # the reason while nothing is known of somebody
WHY = ("why", "Why this film?")
MORE = ("film", "More like this")
BACK = ("back", "Take back")


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


@dataclass(frozen=True)
class FilmCard:
    """A film on a page.

    Attributes:
        film: with `movie_id`, `title`, `year` and `genres` as in the movies table.
        stars: predicted; None: not shown.
        given: by the visitor; None: none.
        why: a sentence.
        rate: whether stars can be given.
        buttons: pairs of action and label.
    """

    film: Any
    stars: float | None = None
    given: float | None = None
    why: str = ""
    rate: bool = False
    buttons: tuple[tuple[str, str], ...] = ()


class Gallery:
    """The grids of one visitor's page, and what is known of the films in them.

    Attributes:
        recommender: whose films they are.
        metadata: who is asked for posters, titles and plots; None: nobody.
        act: called with an action, a film's id and a value when a visitor does something.
        grids: all that were made.
    """

    def __init__(
        self,
        recommender: Recommender,
        metadata: FilmDetails | None,
        act: Callable[[str, int, Any], None],
    ) -> None:
        self.recommender, self.metadata, self.act = recommender, metadata, act
        self.grids: list[FilmGrid] = []
        self._movies = recommender.tables.movies.set_index("movie_id", drop=False)
        self._loop = _running_loop()

    def grid(self, label: str, look: str = "") -> FilmGrid:
        """A new grid without films; `label` and `look` as in `CardGrid`."""
        self.grids.append(FilmGrid(self, label, look))
        return self.grids[-1]

    def films(self, movie_ids: Iterable[int]) -> list[Any]:
        """The films as `FilmCard` has them."""
        return list(self._movies.loc[list(movie_ids)].itertuples(index=False))

    def known(self, movie_id: int) -> Details | None:
        """What is known of a film by now."""
        return None if self.metadata is None else self.metadata.known(movie_id)

    def ask(self, movie_ids: Iterable[int]) -> None:
        """Find out about films of which nothing is known; their cards fill in."""
        if self.metadata is None:
            return
        if missing := [film for film in movie_ids if self.metadata.known(film) is None]:
            films = self._movies.loc[missing, ["movie_id", "title", "year"]]
            self.metadata.ask(films.reset_index(drop=True), self._arrived)

    def _arrived(self, movie_id: int, _: Details) -> None:
        """More is known of a film; told by another thread."""
        if self._loop is None:
            self._draw_again(movie_id)
        else:  # between two messages of the page, so that neither is lost in the other
            self._loop.call_soon_threadsafe(self._draw_again, movie_id)

    def _draw_again(self, movie_id: int) -> None:
        for grid in self.grids:
            grid.draw_again(movie_id)


class FilmGrid(CardGrid):
    """A grid of films of a gallery, which makes it: `Gallery.grid`."""

    def __init__(self, gallery: Gallery, label: str, look: str) -> None:
        stars = gallery.recommender.star_values
        super().__init__(gallery.act, self._picture, label=label, look=look, star_values=stars)
        self._gallery = gallery
        self._shown: Sequence[FilmCard] = ()
        self._lock = threading.Lock()  # what comes of films comes from other threads

    def show(self, films: Sequence[FilmCard]) -> None:
        """Show films in place of those that are shown."""
        with self._lock:
            self._shown = films
            self.cards = [self._drawn(card) for card in films]
        self._gallery.ask(self.movie_ids)

    def draw_again(self, movie_id: int) -> None:
        """Draw the cards again if this film is among them."""
        with self._lock:
            if movie_id in self.movie_ids:
                self.cards = [self._drawn(card) for card in self._shown]

    def tell_why(self, person: Person, movie_id: int, who: str, without: str) -> None:
        """Open the reasons for a film.

        Args:
            person: to whom it is recommended.
            movie_id: the film.
            who: "you" or "they".
            without: what is said if the person has not rated any film.
        """
        recommender = self._gallery.recommender
        if len(person.rated):
            stars = float(recommender.predict_for(person, [movie_id])[0])
            html = cards.reasons_chart(recommender.explain(person, movie_id), stars, who)
        else:
            html = cards.note(without)
        self.note = {"title": f"Why {spoken_title(recommender.title(movie_id))}?", "html": html}

    def static(self) -> str:
        """The cards as they are seen without a kernel; "" if there are none."""
        return cards.static_grid(self.cards, self.label) if self.cards else ""

    def _drawn(self, card: FilmCard) -> dict[str, Any]:
        movie_id, metadata = int(card.film.movie_id), self._gallery.metadata
        details = self._gallery.known(movie_id)
        html = cards.film_card(
            card.film,
            self._gallery.recommender.features.genres,
            details,
            card.stars,
            card.given,
            card.why,
            plot=self.look == "one",
            translated=metadata is not None and metadata.language[:2] != "en",
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

    def _picture(self, movie_id: int) -> bytes | None:
        details = self._gallery.known(movie_id)
        return None if details is None else details.poster


def own_film(film: Any, visitor: Visitor) -> FilmCard:
    """A film with the visitor's stars, or to be given some."""
    given = visitor.ratings.get(int(film.movie_id))
    return FilmCard(film, given=given, rate=True, buttons=() if given is None else (BACK,))


def with_stars(films: pd.DataFrame, buttons: tuple[tuple[str, str], ...]) -> list[FilmCard]:
    """Films of a list with predicted stars."""
    stars = films["predicted" if "predicted" in films else "score"]
    return [
        FilmCard(film, float(value), buttons=buttons)
        for film, value in zip(films.itertuples(), stars, strict=True)
    ]


def with_reasons(recommender: Recommender, films: pd.DataFrame, person: Person) -> list[FilmCard]:
    """Films of a person's list with predicted stars and a reason each."""
    nothing = "nothing that was rated speaks for it" if len(person.rated) else LIKED_BY_MANY
    reasons = [text or nothing for text in recommender.because_each(person, films["movie_id"])]
    if person.user_idx is not None:  # said to the person, and here shown to somebody else
        reasons = [re.sub(r"^(\w+) you gave", r"\1 they gave", text) for text in reasons]
    shown = with_stars(films, (WHY, MORE))
    return [replace(card, why=capital(text)) for card, text in zip(shown, reasons, strict=True)]


def capital(text: str) -> str:
    """A phrase as the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def count_films(number: int) -> str:
    """Such as "1 film" or "1,204 films"."""
    return f"{number:,} film{'' if number == 1 else 's'}"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """The kernel's loop; None in a plain Python."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
