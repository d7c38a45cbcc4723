"""Pictures: each draws data into an `Axes`, and gives it back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullLocator

from movierec.sample.simulate import Truth

# Okabe and Ito's palette, told apart by colour-blind readers and in grey print
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

BINS = 30  # bars of a histogram
NUMBER = "{x:,.10g}"  # on an axis: 10,000 and 0.5

# for `plt.rcParams.update(plots.STYLE)` at the top of a notebook
STYLE: dict[str, Any] = {
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "axes.prop_cycle": cycler(color=COLOURS),
    "legend.frameon": False,
    "text.parse_math": False,  # a title may hold two dollar signs
}


def _curves(ax: Axes, xlabel: str, ylabel: str, log: bool = False) -> Axes:
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(alpha=0.3)
    if log:
        _logarithmic(ax)
    ax.legend()
    return ax


def _logarithmic(ax: Axes) -> None:
    """Values upwards on a logarithmic axis, which is written in plain numbers."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(NUMBER)
    ax.yaxis.set_minor_locator(NullLocator())


def loss_curves(history: pd.DataFrame, ax: Axes, levels: dict[str, float] | None = None) -> Axes:
    """Training and validation loss by epoch.

    The mean over an epoch stands half an epoch before what is measured at its end.

    Args:
        history: with `epoch`, `train_loss`, `val_loss` (NaN without validation rows).
        levels: errors of other methods by name, drawn as level lines.
    """
    ax.plot(history["epoch"] - 0.5, history["train_loss"], "o-", color=COLOURS[0], label="training")
    if history["val_loss"].notna().any():
        ax.plot(history["epoch"], history["val_loss"], "s-", color=COLOURS[1], label="validation")
    for colour, (name, level) in zip(COLOURS[2:], (levels or {}).items(), strict=False):
        ax.axhline(level, linestyle="--", color=colour, label=name)
    return _curves(ax, "epoch", "mean squared error (stars²)")


def paired_losses(histories: dict[str, pd.DataFrame], ax: Axes, log: bool = False) -> Axes:
    """Losses of several trainings: training dashed, validation solid, a ring at the best epoch.

    Args:
        histories: by name, each as in `loss_curves`, with validation rows.
        log: on a logarithmic axis.
    """
    for colour, (name, history) in zip(COLOURS, histories.items(), strict=False):
        epoch, val_loss = history["epoch"], history["val_loss"]
        ax.plot(epoch - 0.5, history["train_loss"], "o--", color=colour, label=f"{name}: training")
        ax.plot(epoch, val_loss, "s-", color=colour, label=f"{name}: validation")
        best = val_loss.idxmin()
        ax.plot(epoch[best], val_loss[best], "o", color=colour, markersize=14, fillstyle="none")
    _curves(ax, "epoch", "mean squared error (stars²)", log)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))  # beside the many lines
    return ax


def step_losses(losses: dict[int, npt.NDArray[np.floating]], ax: Axes) -> Axes:
    """The loss of every step, (steps,), of some trainings by rows a step, over the rows seen.

    The axis of the losses is logarithmic.
    """
    for colour, (batch, found) in zip(COLOURS, losses.items(), strict=False):
        seen = batch * np.arange(1, len(found) + 1)
        ax.plot(seen, found, ".-", color=colour, linewidth=1, label=f"{batch:,} rows a step")
    ax.xaxis.set_major_formatter(NUMBER)
    return _curves(ax, "rows seen", "loss of the step (stars²)", log=True)


def bars(
    values: pd.Series,
    ax: Axes,
    value_label: str,
    name_label: str = "",
    *,
    horizontal: bool = False,
    digits: int = 2,
    highlight: str = "",
) -> Axes:
    """One bar an entry, its value written on it.

    Args:
        values: the lengths; the index names the bars.
        horizontal: lying bars, the first one on top, for long names.
        digits: decimals of the numbers on the bars, where they are not all whole.
        highlight: the name of a bar in another colour.
    """
    colours = [COLOURS[1] if name == highlight else COLOURS[0] for name in values.index]
    names = [str(name) for name in values.index]
    drawn = (ax.barh if horizontal else ax.bar)(names, values, color=colours)
    if horizontal:
        ax.invert_yaxis()
    along, across = "xy" if horizontal else "yx"
    ax.set(**{f"{along}label": value_label, f"{across}label": name_label})
    ax.margins(x=0.15 if horizontal else None, y=None if horizontal else 0.12)
    fmt = "{:,.0f}" if np.all(values == np.round(values)) else f"{{:,.{digits}f}}"
    ax.bar_label(drawn, fmt=fmt, padding=2, fontsize="small")
    (ax.xaxis if horizontal else ax.yaxis).set_major_formatter(NUMBER)
    return ax


def grouped_lines(table: pd.DataFrame, ax: Axes, xlabel: str, ylabel: str) -> Axes:
    """A line for each column (a method), over the index (groups) in its order."""
    names = [f"{name:g}" if isinstance(name, float) else str(name) for name in table.index]
    # seven colours and eight markers: 56 lines before two look the same
    for colour, marker, name in zip(cycle(COLOURS), cycle("osD^vP*X"), table, strict=False):
        ax.plot(names, table[name].to_numpy(), marker=marker, color=colour, label=name)
    return _curves(ax, xlabel, ylabel)


def places(table: pd.DataFrame, ax: Axes, xlabel: str) -> Axes:
    """How the places of some things in a list change, the first place on top.

    Args:
        table: things by steps, in the order of the last one; places from 1, on a logarithmic axis.
            Names stand beside it, evenly; at most seven things have colours of their own.
    """
    steps = [str(step) for step in table.columns]
    for number, (name, row) in enumerate(table.iterrows()):
        colour = COLOURS[number % len(COLOURS)]
        ax.plot(steps, row.to_numpy(dtype=np.float64), "o-", color=colour)
        end = (steps[-1], row.iloc[-1])
        beside = 1.04, 1 - (number + 0.5) / len(table)
        line = {"arrowstyle": "-", "color": colour, "alpha": 0.6, "relpos": (0, 0.5)}
        ax.annotate(
            str(name), end, beside, textcoords="axes fraction", va="center", size=8, arrowprops=line
        )
    _logarithmic(ax)
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, ylabel="place in the list")
    ax.grid(alpha=0.3)
    return ax


def intervals(
    table: pd.DataFrame, ax: Axes, value_label: str, highlight: str = "", truth: Truth | None = None
) -> Axes:
    """A point with its interval for each method, the first one on top.

    Args:
        table: methods by `value`, `low`, `high`.
        highlight: the name of a method in another colour.
        truth: a line stands at the RMSE that no method can get below, where it is known.
    """
    for row, (name, found) in enumerate(table.iterrows()):
        colour = COLOURS[1] if name == highlight else COLOURS[0]
        value = found["value"]
        reach = [[value - found["low"]], [found["high"] - value]]
        ax.errorbar(value, row, xerr=reach, fmt="o", markersize=5, capsize=4, color=colour)
        ax.annotate(
            f"{value:.3f}", (value, row), (0, 6), textcoords="offset points", ha="center", size=8
        )
    ax.set_yticks(range(len(table)), [str(name) for name in table.index])
    if truth:
        ax.axvline(truth.noise_rmse, linestyle="--", color="black", label="noise floor")
        ax.legend(loc="best")
    ax.set(xlabel=value_label, ylim=(len(table) - 0.5, -0.7))
    ax.grid(axis="x", alpha=0.3)
    return ax


def calibration(
    rating: npt.ArrayLike,
    predicted: npt.ArrayLike,
    ax: Axes,
    error: npt.ArrayLike | None = None,
    what: tuple[str, str] = ("mean predicted rating (stars)", "mean rating given (stars)"),
) -> Axes:
    """What was found against what was predicted, for parts of the rows.

    Args:
        rating, predicted: (parts,) means of what was found and of what was predicted, ascending.
        error: (parts,) half lengths of bars about what was found; NaN for none.
        what: labels of what was predicted and found.
    """
    given, guess = np.asarray(rating), np.asarray(predicted)
    ends = [min(given.min(), guess.min()), max(given.max(), guess.max())]
    ax.plot(ends, ends, "--", color=COLOURS[6], label="right on average")
    ax.plot(guess, given, "o-", color=COLOURS[0], label="the model")
    if error is not None:
        ax.errorbar(guess, given, yerr=np.asarray(error), fmt="none", capsize=3, color=COLOURS[0])
    ax.set_aspect("equal")
    return _curves(ax, *what)


def points_by_group(
    points: npt.NDArray, groups: Sequence[str], ax: Axes, shown: Sequence[str]
) -> Axes:
    """Points, (n, 2), in the plane: at most six of their groups, (n,), in colours, others grey."""
    group = np.asarray(groups)
    rest = ~np.isin(group, shown)
    ax.scatter(points[rest, 0], points[rest, 1], s=6, color="0.8", label="other")
    for colour, marker, name in zip(COLOURS, "osD^vP", shown, strict=False):
        own = points[group == name]
        ax.scatter(own[:, 0], own[:, 1], s=14, color=colour, marker=marker, label=name)
    ax.set(xlabel="first direction", ylabel="second direction")
    ax.legend(fontsize="small", markerscale=1.5)
    return ax


def histogram(values: npt.ArrayLike, ax: Axes, value_label: str, count_label: str) -> Axes:
    """How often values, (n,), occur, in `BINS` bars, with a line at their median.

    Whole numbers that span fewer than `BINS` get one bar each.
    """
    values = np.asarray(values, dtype=np.float64)
    median, bins = np.median(values), np.linspace(values.min(), values.max(), BINS + 1)
    if np.ptp(values) < BINS and np.all(values == np.round(values)):
        bins = np.arange(values.min(), values.max() + 2) - 0.5
    ax.hist(values, bins=list(bins), color=COLOURS[0], edgecolor="white", linewidth=0.5)
    ax.axvline(median, linestyle="--", color=COLOURS[1], label=f"median {median:,.4g}")
    ax.set(xlabel=value_label, ylabel=count_label)
    ax.yaxis.set_major_formatter(NUMBER)
    ax.legend()
    return ax


def long_tail(counts: npt.ArrayLike, ax: Axes, what: str) -> Axes:
    """Ratings by rank, both axes logarithmic; what was never rated is left out.

    Args:
        counts: (n,) ratings of each, in any order.
        what: is ranked, in the plural.
    """
    ordered = np.sort(np.asarray(counts))[::-1]
    ordered = ordered[ordered > 0]
    half = int(np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)) + 1
    rank = np.arange(1, len(ordered) + 1)
    ax.loglog(rank, ordered, color=COLOURS[0])
    ax.fill_between(rank[:half], ordered[:half], 1, color=COLOURS[4], alpha=0.4)
    for axis in (ax.xaxis, ax.yaxis):  # powers would be written as formulas, which STYLE shows raw
        axis.set_major_formatter(NUMBER)
    ax.text(1.1, 1.3, f"the first {half:,}\nhave half\nof all ratings", va="bottom")
    ax.set(xlabel=f"{what}, most ratings first", ylabel="ratings", ylim=(1, None))
    ax.grid(alpha=0.3)
    return ax


def over_time(timestamps: npt.ArrayLike, ax: Axes) -> Axes:
    """Ratings a month, of the Unix seconds of each."""
    moments = pd.to_datetime(np.asarray(timestamps), unit="s")
    monthly = pd.Series(1, index=moments).resample("MS").sum()
    ax.plot(monthly.index, monthly, drawstyle="steps-post", color=COLOURS[0])
    ax.set(xlabel="month", ylabel="ratings a month", ylim=(0, None))
    ax.yaxis.set_major_formatter(NUMBER)
    ax.grid(alpha=0.3)
    return ax


def heatmap(
    table: pd.DataFrame | npt.NDArray, ax: Axes, digits: int | None = None, label: str = ""
) -> Axes:
    """A table as colours: white is zero, purple positive, orange negative.

    Args:
        table: numbers; a data frame's index and columns name the ticks, up to 25 of them.
        digits: decimals to write into the cells; None: nothing is written.
        label: what the numbers are, with their unit, beside a scale of the colours.
    """
    frame = pd.DataFrame(table)
    values = frame.to_numpy(dtype=np.float64)
    if not values.size:
        ax.axis("off")
        return ax
    limit = float(np.nanmax(np.abs(values))) or 1.0
    # PuOr is told apart by colour-blind readers; its pale middle is zero
    image = ax.imshow(
        values, aspect="auto", cmap="PuOr", vmin=-limit, vmax=limit, interpolation="none"
    )
    if label:
        scale = ax.figure.colorbar(image, ax=ax, label=label)
        low, high = np.nanmin(values, initial=0), np.nanmax(values, initial=0)
        scale.ax.set_ylim(low, high if high > low else limit)
    for axis, names in ((ax.xaxis, frame.columns), (ax.yaxis, frame.index)):
        if len(names) <= 25:
            axis.set_ticks(range(len(names)), [str(name) for name in names])
    if any(len(str(name)) > 3 for name in frame.columns) and frame.shape[1] > 6:
        ax.tick_params(axis="x", rotation=90)
    ax.spines[:].set_visible(False)
    if digits is not None:
        for row, column in np.argwhere(~np.isnan(values)):
            value = values[row, column]
            colour = "white" if abs(value) > 0.65 * limit else "black"
            text = f"{round(value, digits) or 0:,.{digits}f}"  # no minus before a zero
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize="small")
    return ax


def outline(ax: Axes, row: int, column: int, height: int = 1, width: int = 1) -> Axes:
    """Frame cells of a heat map, of which (row, column) is the upper left one."""
    corner = (column - 0.5, row - 0.5)
    ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=COLOURS[6], linewidth=2))
    return ax
