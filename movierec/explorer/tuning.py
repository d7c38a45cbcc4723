"""How the films of every list are chosen: the panel, and the arguments that it stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np

from movierec.explorer.components import Knob
from movierec.explorer.layout import STYLE, panel, row
from movierec.recommend.recommender import Recommender
from movierec.recommend.scorer import LIKING

NOTHING_LEFT = (
    "No film is left with these genres and years. Untick some genres, or widen the years, under "
    "“Tune the lists”."
)


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
        # without a tooltip ipywidgets shows "null" as one
        self.toggle = ipywidgets.ToggleButton(
            False, description="Tune the lists", tooltip="Genres, years, variety and more"
        )
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
            options=[6, 12, 18, 24],
            value=12,
            description="How many films",
            style=STYLE,
            layout={"width": "auto"},
        )
        self.seed = ipywidgets.BoundedIntText(
            0,
            min=0,
            max=2**31 - 1,
            description="Seed of the draw",
            tooltip="The same seed draws the same films again",
            style=STYLE,
            layout={"width": "15em"},
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
                tooltip="Years of the films in the lists",
                style=STYLE,
                layout={"width": "12em"},
            )
            for value, name in ((first, "From the year"), (last, "to the year"))
        )
        self.genres = [
            ipywidgets.Checkbox(False, description=genre, indent=False, layout={"width": "auto"})
            for genre in recommender.features.genres[1:]
        ]
        self.clear = ipywidgets.Button(description="All genres and years")
        knobs = [self.adventure, self.variety, self.liking]
        self._panel = panel(
            row(*knobs),
            row(self.k, self.seed, self.again),
            ipywidgets.HTML("<b>Only these genres</b> (none ticked: all)"),
            row(*self.genres),
            *([row(self.first_year, self.last_year)] if len(years) else []),
            row(self.clear),
        )
        self._panel.layout.display = "none"
        super().__init__([row(self.toggle), self._panel])
        self.toggle.observe(self._show, "value")
        self.adventure.observe(self._adventure_changed, "value")
        self.again.on_click(self._draw_again)
        self.clear.on_click(self._clear)
        self._adventure_changed(None)

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
        return self.settings() | {"liking": self.liking.value}

    def drawn(self) -> str:
        """How the draw is told in a sentence on a list; "" while none is made."""
        return "" if self.adventure.value == 0 else f"; drawn with seed {self.seed.value}"

    def _show(self, _: Any) -> None:
        self._panel.layout.display = None if self.toggle.value else "none"
        self.toggle.description = "Hide the tuning" if self.toggle.value else "Tune the lists"

    def _adventure_changed(self, _: Any) -> None:
        self.seed.disabled = self.again.disabled = self.adventure.value == 0

    def _draw_again(self, _: Any) -> None:
        self.seed.value += 1

    def _clear(self, _: Any) -> None:
        for box in self.genres:
            box.value = False
        self.first_year.value = self.first_year.min
        self.last_year.value = self.last_year.max
