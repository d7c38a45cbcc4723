"""Pictures: data and an `Axes` in, the `Axes` out."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart by colour-blind readers and in grey print
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def loss_curves(history: pd.DataFrame, ax: Axes, levels: dict[str, float] | None = None) -> Axes:
    """Training and validation loss by epoch.

    The training loss is the mean over an epoch, so it stands half an epoch earlier than the
    validation loss, which is measured at the epoch's end.

    Args:
        history: with `epoch`, `train_loss`, `val_loss`.
        ax: where to draw.
        levels: errors of other methods by name, drawn as level lines.
    """
    ax.plot(history["epoch"] - 0.5, history["train_loss"], "o-", color=COLOURS[0], label="training")
    ax.plot(history["epoch"], history["val_loss"], "s-", color=COLOURS[1], label="validation")
    for colour, (name, level) in zip(COLOURS[2:], (levels or {}).items(), strict=False):
        ax.axhline(level, linestyle="--", color=colour, label=name)
    ax.set(xlabel="epoch", ylabel="mean squared error (stars²)")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax
