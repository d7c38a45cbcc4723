"""What ipywidgets has no accessible form of, as three small anywidget components.

Cards with stars (a radio group), a slider with a label and words, and the map of films. They show
what Python gives them and send back what a visitor does, as one message; a component's `act` does
the same from Python, and what goes wrong raises there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent
SORRY = "Something went wrong here: the last step may not be done, or not wholly. Reload the page."


class Component(anywidget.AnyWidget):
    """A component: the same module draws all, by `kind`.

    Attributes:
        kind: which.
        answered: how many messages were dealt with; ends the busy state.
        error: what is said where one failed.
    """

    _esm = _HERE / "components.js"
    _css = _HERE / "components.css"
    kind = traitlets.Unicode().tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, on_action: Callable[[str, int, Any], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._on_action = on_action
        self.on_msg(self._receive)

    def act(self, action: str, movie_id: int, value: Any = None) -> None:
        """Do what a visitor does with this component."""
        self._on_action(action, movie_id, value)

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        """A message of the page, which may hold anything."""
        match content:
            case {"action": "poster", "movie_id": int(movie_id)}:
                self.send_poster(movie_id)
            case {"action": "close"}:
                self.closed()
            case {"action": str(action), "movie_id": int(movie_id), "value": value}:
                with self.hold_sync():  # one message, whatever comes of it
                    try:
                        self.act(action, movie_id, value)
                        self.error = ""
                    except BaseException:
                        self.error = SORRY
                        raise
                    finally:
                        self.answered += 1

    def send_poster(self, movie_id: int) -> None:
        """Answer a page that asks for a picture."""

    def closed(self) -> None:
        """The page has closed its dialog."""


class CardGrid(Component):
    """Films as cards in a wrapping grid, each with stars to give and buttons, as its entry says.

    Attributes:
        label, status: heading, and what is said beneath it (also where there are no cards).
        cards: a dict a film: `movie_id`, `title`, `html` (from `cards.film_card`), `rate` (whether
            stars can be given), `given` (stars or None), `buttons` (pairs of action and label),
            `poster` (whether a picture can be had).
        star_values: the stars that can be given, ascending.
        look: "compact" for small cards, "one" for a single wide one.
        note: `title` and `html` of a dialog; empty: none.
    """

    label = traitlets.Unicode("").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    cards: traitlets.List[Any] = traitlets.List().tag(sync=True)
    star_values: traitlets.List[Any] = traitlets.List().tag(sync=True)
    look = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Dict({"title": "", "html": ""}).tag(sync=True)

    def __init__(
        self,
        on_action: Callable[[str, int, Any], None],
        poster: Callable[[int], bytes | None],
        **traits: Any,
    ) -> None:
        super().__init__(on_action, kind="cards", **traits)
        self._poster = poster

    def send_poster(self, movie_id: int) -> None:
        picture = self._poster(movie_id)
        if picture is not None:
            self.send({"poster": movie_id, "type": image_type(picture)}, [picture])

    def closed(self) -> None:
        self.note = {"title": "", "html": ""}

    @property
    def movie_ids(self) -> list[int]:
        """The films shown, in their order."""
        return [card["movie_id"] for card in self.cards]


class Knob(Component):
    """A slider with a label above and words for its place beneath."""

    label = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float(0.0).tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(0.1).tag(sync=True)
    says = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)

    def __init__(self, label: str, words: dict[float, str], value: float, **traits: Any) -> None:
        """A knob.

        Args:
            label: what it turns.
            words: what the places say, each from its value on; ascending. None: the number.
            value: where it stands first.
            traits: `min`, `max`, `step`.
        """
        self._words = words
        super().__init__(_nothing, kind="knob", label=label, value=value, **traits)
        self.says = self._say()

    @traitlets.validate("value")
    def _within(self, proposal: Any) -> float:
        return float(min(max(proposal["value"], self.min), self.max))  # a page may send anything

    @traitlets.observe("value")
    def _changed(self, _: Any) -> None:
        self.says = self._say()

    def _say(self) -> str:
        reached = [text for start, text in self._words.items() if start <= self.value + 1e-9]
        return reached[-1] if reached else f"{self.value:g}"


class MapView(Component):
    """A map of films: the picture, marks on it, and the films to point at.

    Attributes:
        svg, marks: see `filmmap`.
        description: the picture in words.
        points, ids, titles: (x, y), movie id and title of each film.
    """

    svg = traitlets.Unicode("").tag(sync=True)
    marks = traitlets.Unicode("").tag(sync=True)
    description = traitlets.Unicode("").tag(sync=True)
    points: traitlets.List[Any] = traitlets.List().tag(sync=True)
    ids: traitlets.List[Any] = traitlets.List().tag(sync=True)
    titles: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, on_action: Callable[[str, int, Any], None]) -> None:
        super().__init__(on_action, kind="map")


def image_type(picture: bytes) -> str:
    """The media type of a picture by its first bytes."""
    if picture.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if picture[8:12] == b"WEBP" else "image/jpeg"


def _nothing(*_: Any) -> None:
    """A knob sends no actions."""
