"""The explorer in a notebook: the component as a widget, which Python can drive and read."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import jinja2
import traitlets

from movierec.errors import InputError
from movierec.explorer import questions as q
from movierec.explorer.service import Service, answer, checked, picture, service_of
from movierec.recommend.recommender import Recommender

if TYPE_CHECKING:
    from movierec.posters.metadata import Metadata

STATIC = Path(__file__).with_name("static")
VIEWS = ("for-you", "together", "person", "map")
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("movierec.explorer"), autoescape=True, trim_blocks=True
)


def explorer(
    recommender: Recommender, user_id: int | None = None, metadata: Metadata | None = None
) -> Explorer:
    """An explorer of a run's recommendations.

    Args:
        recommender: `run.recommender`.
        user_id: the person of the data to begin with; an active one when not given.
        metadata: who is asked for posters, titles and plots; None: nobody.

    Raises:
        InputError: an unknown user.

    Example:
        >>> view = explorer(run.recommender)
        >>> view.rate(260, 5)
        >>> [film.title for film in view.films]
    """
    view = Explorer(service_of(recommender, metadata))
    if user_id is not None:
        view.look_at_person(user_id)
        view.show("for-you")
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
        told: dict[str, Any] = {"ratings": [], "unknown": [], "deny": []}
        super().__init__(words=words, state=told | {"view": "for-you", "film": None})
        self.on_msg(self._asked)

    # --- what a visitor does -----------------------------------------------------------------

    def rate(self, movie_id: int, stars: float) -> None:
        """Give a film stars, or other stars than before.

        Raises:
            InputError: an unknown film, or stars that the data does not have.
        """
        if stars not in (expected := self.service.rec.star_values):
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
        """Choose how films are chosen; the names are those of `questions.Settings`.

        Raises:
            InputError: a setting of another name, or out of its range.
        """
        checked(q.Settings, settings, "setting")
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
        films = self.ask("for-new-user", **self._told(q.Someone), ask=1).ask
        return films[0] if films else None

    def ask(self, name: str, /, **question: Any) -> Any:
        """The answer to one of `service.QUESTIONS`."""
        return answer(self.service, name, question)

    def static(self) -> str:
        """What is shown now as HTML that needs no kernel and no script."""
        name, question = self._question()
        shown = {name: self.ask(name, **question)}
        if (film := self.state.get("film")) is not None:
            person = self.state.get("person") if self.state["view"] == "person" else None
            who = self._told(q.Someone) if person is None else {"user_id": person}
            shown["explain"] = self.ask("explain", movie_id=film, **who)
            shown["similar"] = self.ask("similar", movie_id=film, k=6)
        genres = list(self.service.rec.features.genres)
        return TEMPLATES.get_template("static.html.j2").render(shown=shown, genres=genres)

    # --- how ---------------------------------------------------------------------------------

    def _change(self, **changes: Any) -> None:
        self.state = {**self.state, **changes}

    def _tell(self, movie_id: int, rating: list[Any], unknown: list[int]) -> None:
        self.service.rec.title(movie_id)  # refuses an unknown film
        others = [pair for pair in self.state["ratings"] if pair[0] != movie_id]
        rest = [film for film in self.state["unknown"] if film != movie_id]
        self._change(ratings=[*others, *rating], unknown=[*rest, *unknown])

    def _told(self, form: type[q.Question]) -> dict[str, Any]:
        """What the state holds of a form's question."""
        told = self.state | {"ratings": self.ratings}
        return {name: told[name] for name in form.model_fields if name in told}

    def _question(self) -> tuple[str, dict[str, Any]]:
        """The question that the open view asks."""
        state, told = self.state, self._told
        others = (one.get("told", one.get("user_id")) for one in state.get("group", []))
        match state["view"]:
            case "person":
                return "for-user", told(q.ForUser) | {"user_id": state.get("person"), "deny": []}
            case "together":
                return "for-group", told(q.ForGroup) | {"people": [told(q.Someone), *others]}
            case "map":
                return "map", {}
            case _:
                return "for-new-user", told(q.ForNewUser) | {"ask": 3}

    def _asked(self, _: Any, content: Any, buffers: Any) -> None:
        """A question of the component, which may hold anything."""
        match content:
            case {"id": int(number), "name": "picture", "question": {"movie_id": int(movie_id)}}:
                data = base64.b64encode(picture(self.service, movie_id) or b"").decode()
                self.send({"id": number, "answer": {"address": f"data:image/jpeg;base64,{data}"}})
            case {"id": int(number), "name": str(name), "question": dict(question)}:
                told: dict[str, Any] = {"error": "a mistake of movierec's own", "status": 500}
                try:
                    said = answer(self.service, name, question)
                    told = {"answer": said.model_dump(mode="json", exclude_none=True)}
                except InputError as error:
                    told = {"error": str(error), "status": 422}
                finally:  # of a mistake of our own the kernel tells more
                    self.send({"id": number} | told)
