"""How controls stand: in rows, in panels, and how wide."""

from __future__ import annotations

import ipywidgets

STYLE = {"description_width": "initial"}
WIDE = {"width": "min(30em, 100%)"}


def row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls beside each other, wrapping."""
    return ipywidgets.Box(list(children)).add_class("mr-row")


def panel(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls below each other, framed."""
    return ipywidgets.VBox(list(children)).add_class("mr-panel")
