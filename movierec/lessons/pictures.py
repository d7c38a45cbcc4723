"""Pictures that a training leaves in its run folder."""

from __future__ import annotations

import io
from importlib.util import find_spec

import pandas as pd


def loss_picture(history: pd.DataFrame) -> bytes | None:
    """The losses of a training by epoch as PNG; None where matplotlib is not installed.

    Args:
        history: see `plots.loss_curves`.
    """
    if find_spec("matplotlib") is None:
        return None
    from matplotlib.figure import Figure  # here, as the core asks for pictures without it too

    from movierec.lessons.plots import loss_curves

    figure = Figure(figsize=(7, 4), layout="constrained")
    loss_curves(history, figure.subplots())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
