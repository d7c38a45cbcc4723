"""The explorer: every mode of recommendation, to click through in JupyterLab or on a page.

Its callbacks are plain: setting a control's `value` from Python does what a click does, and what
goes wrong raises there. Everything that comes from data is escaped before it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
import pandas as pd

from movierec.datasets import AGE_BAND_NAMES, YEAR, Tables
from movierec.errors import InputError
from movierec.features import GENDERS
from movierec.recommend import Recommender

OFFERED = 8  # films listed under the search box
LIKENESS = 60.0  # a title less like the text than this (0 to 100) is no answer to a search
STYLE = {"description_width": "7em"}
FITTED = {"description_width": "initial"}
SLIDER = ipywidgets.Layout(width="20em")
WIDE = ipywidgets.Layout(width="min(34em, 100%)")
_HEADINGS = {
    "movie_id": "id",
    "user_id": "person",
    "rating": "stars given",
    "year": "year",
    "genres": "genres",
}


def explorer(
    recommender: Recommender, user_id: int | None = None, movie_id: int | None = None
) -> Explorer:
    """An explorer of a run's recommendations.

    Args:
        recommender: `run.recommender`.
        user_id: whom to begin with; an active user when not given.
        movie_id: the film to begin with; the most rated one when not given.

    Raises:
        InputError: an unknown user or film.
    """
    tables = recommender.tables
    user_id = active_user(tables) if user_id is None else user_id
    movie_id = int(tables.ratings["movie_id"].mode()[0]) if movie_id is None else movie_id
    recommender.predict([user_id], [movie_id])  # refuses an unknown id
    return Explorer(recommender, user_id, movie_id)


class Explorer(ipywidgets.VBox):
    """Controls, four tabs, and the answer of the tab that is open.

    Attributes:
        user, exclude_seen: whose list, and whether films that they have rated are left out.
        search, film: a text, and the films whose titles come nearest to it, one of them chosen.
        k, temperature, seed, again: how many films, how adventurous, which draw, the next draw.
        tabs: the modes, by `selected_index`.
        answer: what the chosen mode answers, as HTML.
    """

    def __init__(self, recommender: Recommender, user_id: int, movie_id: int) -> None:
        self.recommender = recommender
        self.user = ipywidgets.IntText(
            user_id, description="Person", tooltip="The id of a person in the data", style=STYLE
        )
        self.exclude_seen = ipywidgets.Checkbox(
            True,
            description="Leave out films they have rated",
            tooltip="Whether films that the person has rated are left out of the list",
            indent=False,
        )
        self.search = ipywidgets.Text(
            description="Find a film",
            placeholder="type a title or part of it",
            tooltip="Type a title; the nearest titles appear below as you type",
            style=STYLE,
            layout=WIDE,
        )
        self.film = ipywidgets.Select(
            options=self._options(recommender.tables.movies.query("movie_id == @movie_id")),
            description="Film",
            tooltip="The films that were found; choose one",
            rows=4,
            style=STYLE,
            layout=WIDE,
        )
        self.k = ipywidgets.IntSlider(
            10,
            min=1,
            max=30,
            description="How many",
            tooltip="How many films a list holds",
            style=FITTED,
            layout=SLIDER,
        )
        self.temperature = ipywidgets.FloatSlider(
            0.0,
            min=0,
            max=3,
            step=0.1,
            readout_format=".1f",
            description="Temperature",
            tooltip="0 gives the plain best; above, films are drawn, the more adventurously the "
            "higher",
            style=FITTED,
            layout=SLIDER,
        )
        self.seed = ipywidgets.BoundedIntText(
            0,
            min=0,
            max=2**31 - 1,
            description="Seed",
            tooltip="The same seed draws the same films again",
            style=FITTED,
            layout=ipywidgets.Layout(width="14em"),
        )
        self.again = ipywidgets.Button(
            description="Draw again",
            tooltip="Takes the next seed",
            icon="refresh",
            layout=ipywidgets.Layout(width="auto"),
        )
        self.answer = ipywidgets.HTML()
        modes: dict[str, tuple[Callable[[], str], list[ipywidgets.Widget]]] = {
            "Films for a person": (self._for_user, [self.user, self.exclude_seen]),
            "Similar films": (self._similar, [self.search, self.film]),
            "People who like it": (self._people, [self.search, self.film]),
            "A rating": (self._rating, [self.user, self.search, self.film]),
        }
        self._modes = [mode for mode, _ in modes.values()]
        self.tabs = ipywidgets.Tab(
            [ipywidgets.VBox([*controls, self.answer]) for _, controls in modes.values()],
            titles=list(modes),
        )
        draw = ipywidgets.Box(
            [self.k, self.temperature, self.seed, self.again],
            layout=ipywidgets.Layout(flex_flow="row wrap"),
        )
        super().__init__([ipywidgets.HTML(_STYLE + self._heading()), draw, self.tabs])
        for control in (self.user, self.exclude_seen, self.film, self.k, self.temperature):
            control.observe(self._refresh, "value")
        self.seed.observe(self._refresh, "value")
        self.tabs.observe(self._refresh, "selected_index")
        self.search.observe(self._find, "value")
        self.again.on_click(self._draw_again)
        self._refresh()

    # --- what a control does -----------------------------------------------------------------

    def _refresh(self, _: Any = None) -> None:
        drawn = self.temperature.value > 0
        self.seed.disabled = self.again.disabled = not drawn
        try:
            self.answer.value = self._modes[self.tabs.selected_index]()
        except InputError as error:  # an id that nobody has: the visitor's slip, not ours
            self.answer.value = _note(f"That cannot be answered: {error}.")

    def _find(self, _: Any = None) -> None:
        text = self.search.value.strip()
        if not text:
            return
        found = self.recommender.find(text, OFFERED)
        self.film.options = self._options(found[found["score"] >= LIKENESS])
        self.film.index = 0 if self.film.options else None
        self._refresh()  # also where the film is the same as before, or none

    def _draw_again(self, _: Any = None) -> None:
        self.seed.value += 1

    # --- the modes ---------------------------------------------------------------------------

    def _for_user(self) -> str:
        user_id = self.user.value
        films = self.recommender.for_user(
            user_id, exclude_seen=self.exclude_seen.value, **self._choice()
        )
        if self.recommender.watching is not None:
            because = [self.recommender.because(user_id, film) for film in films["movie_id"]]
            # said to the person, and here shown to somebody else
            films["why"] = [re.sub(r"^(\w+) you gave", r"\1 they gave", text) for text in because]
        rated = rated_films(self.recommender, user_id)
        best = rated.head(self.k.value)[["title", "year", "genres", "rating"]]
        return _table(
            films, f"Recommended to person {user_id}{self._words(user_id)}", "stars"
        ) + _table(best, f"Their best of {len(rated):,} rated films")

    def _similar(self) -> str:
        if self.film.value is None:
            return self._nothing()
        films = self.recommender.similar(self.film.value, **self._choice())
        return _table(films, f"Films like {self.film.label}", "likeness")

    def _people(self) -> str:
        if self.film.value is None:
            return self._nothing()
        people = self.recommender.people_who_like(self.film.value, self.k.value)
        films = self.recommender.also_liked(self.film.value, **self._choice())
        return _table(films, f"What people who like {self.film.label} also like", "stars") + _table(
            people, f"People who like {self.film.label} most", "stars"
        )

    def _rating(self) -> str:
        if self.film.value is None:
            return self._nothing()
        user_id, movie_id = self.user.value, self.film.value
        stars = float(self.recommender.predict([user_id], [movie_id])[0])
        rated = rated_films(self.recommender, user_id)
        given = rated.loc[rated["movie_id"] == movie_id, "rating"]
        known = f"They gave it {given.iloc[0]:g}." if len(given) else "They have not rated it."
        return (
            f"<p>Person {user_id}{escape(self._words(user_id))} would give "
            f"<b>{escape(self.film.label)}</b></p>"
            f'<p class="movierec-stars">{stars:.2f} stars</p><p>{known}</p>'
        )

    # --- words -------------------------------------------------------------------------------

    def _choice(self) -> dict[str, Any]:
        return {
            "k": self.k.value,
            "temperature": self.temperature.value,
            "seed": self.seed.value,
        }

    def _nothing(self) -> str:
        return _note(
            f"No film has a title like “{self.search.value.strip()}”. Try another spelling, or "
            "a single word of the title."
        )

    def _words(self, user_id: int) -> str:
        fields = self.recommender.features.user_fields
        if not fields:
            return ""
        row = self.recommender.features.users.encode([user_id])[0]
        return (
            f" ({GENDERS[fields['gender'][row]]}, {AGE_BAND_NAMES[fields['age'][row]]}, "
            f"{self.recommender.tables.occupations[fields['job'][row]]})"
        )

    def _heading(self) -> str:
        tables = self.recommender.tables
        return (
            f"<p>{escape(tables.name)}: {len(tables.users):,} people, {len(tables.movies):,} "
            f"films, {len(tables.ratings):,} ratings</p>"
        )

    @staticmethod
    def _options(films: pd.DataFrame) -> list[tuple[str, int]]:
        return [(film.title, int(film.movie_id)) for film in films.itertuples()]


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


_STYLE = """<style>
.movierec-table { border-collapse: collapse; margin: .6em 0 1.2em; line-height: 1.35; }
.movierec-table caption { text-align: left; font-weight: 600;
  white-space: nowrap; padding-bottom: .3em; }
.movierec-table th, .movierec-table td { padding: .15em .8em .15em 0; text-align: left;
  border-bottom: 1px solid rgba(128, 128, 128, .35); vertical-align: top; }
.movierec-table .number { text-align: right; font-variant-numeric: tabular-nums; }
.movierec-stars { font-size: 2em; margin: .2em 0; }
</style>"""


def _table(frame: pd.DataFrame, caption: str, score: str = "") -> str:
    """A frame as an HTML table; `score` names the score's unit."""
    if "predicted" in frame:  # stars say more than what the films are ordered by
        frame = frame.drop(columns="score").rename(columns={"predicted": "score"})
    headings = _HEADINGS | {"score": score}
    numeric = {name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])}

    def cell(tag: str, name: str, text: str) -> str:
        kind = ' class="number"' if name in numeric else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{kind}>{escape(text)}</{tag}>"

    shown = [name for name in frame.columns if name != "movie_id"]
    head = "".join(cell("th", name, headings.get(name, name)) for name in shown)
    rows = "".join(
        "<tr>" + "".join(cell("td", name, _text(name, row[name])) for name in shown) + "</tr>"
        for row in frame.to_dict("records")
    )
    return (
        f'<table class="movierec-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _text(name: str, value: Any) -> str:
    """A cell's words."""
    if pd.isna(value):
        return ""
    if name == "title":
        return YEAR.sub("", value).strip()  # the year has a column of its own
    if name == "genres":
        return value.replace("|", ", ")
    return f"{value:.2f}" if name == "score" else f"{value:g}" if name == "rating" else str(value)


def _note(text: str) -> str:
    return f'<p role="status">{escape(text)}</p>'
