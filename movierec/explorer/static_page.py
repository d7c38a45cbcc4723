"""What the explorer shows as HTML without script, for executed notebooks and their pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2

from movierec.explorer import questions as q
from movierec.explorer.service import Service

PROBABLE = 1.28  # standard deviations to each side that hold four of five, as in explorer.js
INKS = ("#1b6ca8", "#e07a10", "#2a8a43", "#c0397b", "#7a58c9", "#8a6d1d", "#19a3a3", "#8c8c94")
TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("movierec.explorer"), autoescape=True, trim_blocks=True
)


def page_of(service: Service, shown: dict[str, Any]) -> str:
    """Answers, by the names of their questions, as HTML."""
    genres = list(service.rec.features.genres)

    def hue(film: q.Film) -> int:  # as in explorer.js
        return round((genres.index(film.genres[0]) if film.genres else 0) * 137.508 + 200) % 360

    page = TEMPLATES.get_template("static.html.j2")
    return page.render(shown=shown, hue=hue, layers=_layers, most=_most, probable=PROBABLE)


def _most(reasons: list[q.Reason]) -> list[q.Reason]:
    return sorted(reasons, key=lambda one: -abs(one.adds))[:7]


def _layers(drawn: q.MapOfFilms) -> Iterator[tuple[str, str]]:
    """The dots of each colour as a path."""
    points = list(zip(drawn.x, drawn.y, drawn.group, strict=True))
    for place in range(-1, len(drawn.groups)):
        yield INKS[place], "".join(f"M{x} {y}h0" for x, y, group in points if group == place)
