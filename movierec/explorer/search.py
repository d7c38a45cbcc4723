"""Films by their titles: a box to type in, and the films that come nearest."""

from __future__ import annotations

from typing import Any

import ipywidgets
import pandas as pd

from movierec.explorer.layout import STYLE, WIDE
from movierec.recommend.recommender import Recommender

FOUND = 6  # films listed under the box
LIKENESS = 60.0  # a title less like the text than this (0 to 100) is no answer to a search


def title_box(description: str, placeholder: str, tooltip: str) -> ipywidgets.Text:
    """A box that answers to every key."""
    return ipywidgets.Text(
        description=description, placeholder=placeholder, tooltip=tooltip, style=STYLE, layout=WIDE
    )


def nearest(recommender: Recommender, text: str, k: int) -> pd.DataFrame:
    """The films, at most k, whose titles are like a text that is not empty; the nearest first."""
    found = recommender.find(text, k)
    return found[found["score"] >= LIKENESS]


def no_title(text: str) -> str:
    """What is said where there is none."""
    return (
        f"No film has a title like “{text.strip()}”. Try another spelling, or a single word of "
        "the title."
    )


class FilmSearch(ipywidgets.VBox):
    """A text, and the films whose titles come nearest to it, one of them chosen.

    Attributes:
        text, found: the controls; `found.value` is the chosen film's id, or None.
    """

    def __init__(self, recommender: Recommender, movie_id: int) -> None:
        self._recommender = recommender
        self.text = title_box(
            "Find a film",
            "type a title or part of it",
            "Type a title; the nearest titles appear below as you type",
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

    def sorry(self) -> str:
        """What is said where no film is chosen."""
        return no_title(self.text.value)

    def _find(self, _: Any) -> None:
        if text := self.text.value.strip():
            found = nearest(self._recommender, text, FOUND)
            options = [(film.title, int(film.movie_id)) for film in found.itertuples()]
            self.found.options = options
            self.found.index = 0 if options else None

    def _option(self, movie_id: int) -> list[tuple[str, int]]:
        return [(self._recommender.title(movie_id), movie_id)]
