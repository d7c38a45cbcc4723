"""The explorer in a notebook: the component as a widget, which Python can drive and read."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from movierec.errors import InputError
from movierec.explorer import questions as q
from movierec.explorer.service import FilmDetails, Service, answer, picture, service_of
from movierec.explorer.static_page import page_of
from movierec.recommend.recommender import Recommender

STATIC = Path(__file__).with_name("static")
VIEWS = ("for-you", "together", "person", "map")
TUNING = tuple(q.Settings.model_fields)


def explorer(
    recommender: Recommender,
    user_id: int | None = None,
    movie_id: int | None = None,
    metadata: FilmDetails | None = None,
) -> Explorer:
    """An explorer of a run's recommendations.

    Args:
        recommender: `run.recommender`.
        user_id: the person of the data to begin with; an active one when not given.
        movie_id: the film that is looked at first; none when not given.
        metadata: who is asked for posters, titles and plots; None: nobody.

    Raises:
        InputError: an unknown user or film.

    Example:
        >>> view = explorer(run.recommender)
        >>> view.rate(260, 5)
        >>> [film.title for film in view.films]
    """
    service = service_of(recommender, metadata)
    view = Explorer(service)
    if user_id is not None:
        view.look_at_person(user_id)
        view.show("for-you")
    if movie_id is not None:
        view.look_at(movie_id)
    return view


class Explorer(anywidget.AnyWidget):
    """The widget. What is done from Python is seen in the browser, and the other way round.

    Attributes:
        service: what questions are answered from.
        state: what the visitor told and where they look, as `explorer.js` has it.
        words: the table of sentences.
    """

    _esm = STATIC / "explorer.js"
    _css = STATIC / "explorer.css"
    state: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)
    words: traitlets.Dict[str, Any] = traitlets.Dict().tag(sync=True)

    def __init__(self, service: Service) -> None:
        self.service = service
        words = json.loads((STATIC / "words.json").read_text("utf-8"))
        start: dict[str, Any] = {
            "ratings": [],
            "unknown": [],
            "deny": [],
            "view": "for-you",
            "film": None,
        }
        super().__init__(words=words, state=start)
        self.on_msg(self._asked)

    # --- what a visitor does -----------------------------------------------------------------

    def rate(self, movie_id: int, stars: float) -> None:
        """Give a film stars, or other stars than before.

        Raises:
            InputError: an unknown film, or stars that the data does not have.
        """
        if stars not in self.service.rec.star_values:
            expected = self.service.rec.star_values
            raise InputError(f"got {stars:g} stars; expected one of {expected}")
        self._tell(movie_id, [[movie_id, stars]], [])

    def not_seen(self, movie_id: int) -> None:
        """Say that a film is not known."""
        self._tell(movie_id, [], [movie_id])

    def take_back(self, movie_id: int) -> None:
        """Take a rating, or that a film is not known, back."""
        self._tell(movie_id, [], [])

    def look_at(self, movie_id: int | None) -> None:
        """Open a film; None: close it."""
        if movie_id is not None:
            self.service.rec.title(movie_id)  # refuses an unknown one
        self._change(film=movie_id)

    def look_at_person(self, user_id: int) -> None:
        """Look at a person of the data."""
        self.service.rec.person(user_id)
        self._change(person=user_id, view="person")

    def show(self, view: str) -> None:
        """Open a view: for-you, together, person or map."""
        if view not in VIEWS:
            raise InputError(f"got the view {view!r}; expected one of {', '.join(VIEWS)}")
        self._change(view=view)

    def tune(self, **settings: Any) -> None:
        """Choose how films are chosen; the names are those of `questions.Settings`."""
        q.Settings.model_validate(settings)
        self._change(**settings)

    # --- what they see -----------------------------------------------------------------------

    @property
    def ratings(self) -> dict[int, float]:
        """The stars given, by movie id, in the order in which they were given."""
        return {int(movie_id): float(stars) for movie_id, stars in self.state["ratings"]}

    @property
    def films(self) -> list[q.Film]:
        """The list of the view that is open."""
        name, question = self._question()
        return list(getattr(self.ask(name, **question), "films", []))

    @property
    def asked(self) -> q.Film | None:
        """The film that the visitor is asked about."""
        films = self.ask("for-new-user", **self._told(), ask=1).ask
        return films[0] if films else None

    def ask(self, name: str, /, **question: Any) -> Any:
        """The answer to one of `service.QUESTIONS`."""
        return answer(self.service, name, question)

    def static(self) -> str:
        """What is shown now as HTML that needs no kernel and no script."""
        name, question = self._question()
        shown = {name: self.ask(name, **question)}
        if (film := self.state.get("film")) is not None:
            shown["explain"] = self.ask("explain", movie_id=film, **self._told(of_film=True))
            shown["similar"] = self.ask("similar", movie_id=film, k=6)
        return page_of(self.service, shown)

    # --- how ---------------------------------------------------------------------------------

    def _change(self, **changes: Any) -> None:
        self.state = {**self.state, **changes}

    def _tell(self, movie_id: int, rating: list[Any], unknown: list[int]) -> None:
        self.service.rec.title(movie_id)  # refuses an unknown film
        others = [pair for pair in self.state["ratings"] if pair[0] != movie_id]
        rest = [film for film in self.state["unknown"] if film != movie_id]
        self._change(ratings=[*others, *rating], unknown=[*rest, *unknown])

    def _told(self, of_film: bool = False) -> dict[str, Any]:
        told = {name: self.state.get(name) for name in ("gender", "age", "occupation")}
        told |= {"ratings": self.ratings, "unknown": self.state["unknown"]}
        if of_film and self.state["view"] == "person" and self.state.get("person") is not None:
            return {"user_id": self.state["person"]}
        return told

    def _question(self) -> tuple[str, dict[str, Any]]:
        """The question that the open view asks."""
        tuned = {name: self.state[name] for name in TUNING if name in self.state}
        match self.state["view"]:
            case "person":
                tuned.pop("deny", None)
                return "for-user", tuned | {"user_id": self.state.get("person")}
            case "together":
                group = self.state.get("group", [])
                others = [one.get("told", one.get("user_id")) for one in group]
                for name in ("temperature", "seed"):
                    tuned.pop(name, None)
                least = self.state.get("least", 0)
                return "for-group", tuned | {"people": [self._told(), *others], "least": least}
            case "map":
                return "map", {}
            case _:
                return "for-new-user", tuned | self._told() | {"ask": 3}

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:
        """A question of the component, which may hold anything."""
        match content:
            case {"id": int(number), "name": "picture", "question": {"movie_id": int(movie_id)}}:
                found = picture(self.service, movie_id) or b""
                data = base64.b64encode(found).decode()
                self.send({"id": number, "answer": {"address": f"data:image/jpeg;base64,{data}"}})
            case {"id": int(number), "name": str(name), "question": dict(question)}:
                try:
                    said = answer(self.service, name, question)
                except InputError as error:
                    self.send({"id": number, "error": str(error), "status": 422})
                except BaseException as error:
                    self.send({"id": number, "error": escape(type(error).__name__), "status": 500})
                    raise
                else:
                    told = said.model_dump(mode="json", exclude_none=True)
                    self.send({"id": number, "answer": told})
