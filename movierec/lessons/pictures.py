"""Pictures as PNG files: that which a training leaves in its run folder, and others."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def picture(draw: Callable[[Axes], object]) -> bytes:
    """What is drawn into the axes of a figure in the style of the notebooks, as PNG."""
    import matplotlib
    from matplotlib.figure import Figure

    from movierec.lessons import plots

    sink = io.BytesIO()
    with matplotlib.rc_context(cast(Any, plots.STYLE)):
        figure = Figure(figsize=(7, 4))
        draw(figure.subplots())
        figure.savefig(sink, format="png")
    return sink.getvalue()


def loss_picture(history: pd.DataFrame) -> bytes | None:
    """The losses of a training by epoch as PNG; None where matplotlib is not installed.

    Args:
        history: see `plots.loss_curves`.
    """
    if find_spec("matplotlib") is None:
        return None
    from movierec.lessons.plots import loss_curves  # here: the core asks without matplotlib too

    return picture(lambda axes: loss_curves(history, axes))
