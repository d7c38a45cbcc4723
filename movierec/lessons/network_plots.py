"""Pictures of the network: what its layers do to data, and how they hang together."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from movierec.lessons.plots import COLOURS, heatmap, outline


def lookup(
    picked: Sequence[int], matrix: npt.NDArray, axes: Sequence[Axes], names: Sequence[str] = ()
) -> None:
    """A look-up as a product: one-hot rows times a matrix are rows of the matrix.

    Args:
        picked: (n,) the indices that are looked up.
        matrix: (rows, columns).
        axes: three, for the one-hot rows, the matrix and their product.
        names: (n,) what the indices stand for; by default the indices.
    """
    one_hot = np.eye(len(matrix))[list(picked)]
    labels = [f"{name} → {index}" for name, index in zip(names, picked, strict=True)] or picked
    wide = matrix.shape[1] > 8
    heatmap(pd.DataFrame(one_hot, index=labels), axes[0], digits=0 if len(matrix) <= 25 else None)
    heatmap(matrix, axes[1], digits=None if wide else 2)
    heatmap(pd.DataFrame(one_hot @ matrix, index=picked), axes[2], digits=None if wide else 2)
    for row, index in enumerate(picked):
        outline(axes[0], row, index)
        outline(axes[1], index, 0, width=matrix.shape[1])
    axes[0].tick_params(axis="x", labelsize="small" if len(matrix) <= 12 else "x-small")
    axes[0].set(title=f"one-hot rows {one_hot.shape}", xlabel="index", ylabel="looked up")
    axes[1].set(title=f"× matrix {matrix.shape}", xlabel="column", ylabel="row")
    axes[2].set(title=f"= ({len(one_hot)}, {matrix.shape[1]})", xlabel="column", ylabel="row")


def window_answers(words: list[str], answers: npt.ArrayLike, window: int, ax: Axes) -> Axes:
    """What one filter answers to each position of its window on a title.

    Args:
        words: the title's words, "" for padding.
        answers: (words - window + 1,) numbers, before the relu.
    """
    answers = np.asarray(answers)
    shown = [word or "·" for word in words]
    seen = [" ".join(shown[start : start + window]) for start in range(len(answers))]
    colours = [COLOURS[5] if answer > 0 else "lightgrey" for answer in answers]
    colours[int(answers.argmax())] = COLOURS[1]
    drawn = ax.barh(range(len(answers)), answers, color=colours)
    ax.bar_label(drawn, fmt="{:.2f}", padding=2, fontsize="small")
    ax.set_yticks(range(len(answers)), seen)
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.axvline(0, color=COLOURS[6], linewidth=0.8)
    ax.set(xlabel="answer: sum of products + bias", ylabel="words in the window (· is padding)")
    return ax


def joined_vectors(parts: dict[str, npt.NDArray], ax: Axes) -> Axes:
    """Vectors by name side by side as one strip, each with the positions it takes."""
    heatmap(np.concatenate([vector.ravel() for vector in parts.values()])[None], ax)
    stop = 0
    for name, vector in parts.items():
        start, stop = stop, stop + vector.size
        outline(ax, 0, start, width=vector.size)
        ax.text((start + stop - 1) / 2, -0.65, f"{name}\n{start}–{stop - 1}", ha="center")
    ax.set(yticks=[], xlabel="position in the joined vector")
    return ax


def dot_product(left: npt.NDArray, right: npt.NDArray, ax: Axes) -> Axes:
    """The products of two vectors' entries, (d,) each, and their running total."""
    products = left * right
    total = np.cumsum(products)
    position = np.arange(1, len(products) + 1)
    ax.bar(position, products, width=1.0, color=COLOURS[5], label="product at a position")
    ax.plot(position, total, color=COLOURS[1], label="running total")
    end = position[-1], total[-1]
    ax.plot(*end, "o", color=COLOURS[1])
    ax.annotate(f"{total[-1]:.3f}", end, (4, 6), textcoords="offset points", ha="right")
    ax.axhline(0, color=COLOURS[6], linewidth=0.8)
    ax.set(xlabel="position in the vectors", ylabel="product, total")
    ax.legend()
    return ax


def tower(built: Any, ax: Axes) -> Axes:
    """One tower, its inputs on top, as it is built.

    Every box is an operation with its output shape (B for the batch) and its parameters, every
    arrow an array that goes from one to the next.

    Args:
        built: a Keras model.
        ax: of a figure of `tower_size`.
    """
    places, parents = _placed(built)
    for operation, (x, y) in places.items():
        for from_x, from_y in (places[parent] for parent in parents[operation]):
            ax.annotate("", (x, y - 0.4), (from_x, from_y + 0.4), arrowprops=_ARROW, zorder=1)
        kind = type(operation).__name__
        name, colour = _KINDS.get(kind, ("", "lightgrey"))
        box = Rectangle((x - 0.48, y - 0.4), 0.96, 0.8, facecolor=colour, alpha=0.45, linewidth=0)
        box.set_label("" if name in {patch.get_label() for patch in ax.patches} else name)
        ax.add_patch(box)
        layer = hasattr(operation, "count_params")  # an array operation has no name
        words = (operation.name if layer else kind.lower()).replace("_", " ")
        lines = "_\n".join(wrap(words, 16)).replace(" ", "_").splitlines()
        lines.append(f"({', '.join(map(str, ('B', *operation.output.shape[1:])))})")
        if layer and operation.count_params():
            lines.append(f"{operation.count_params():,}")
        ax.text(x, y, "\n".join(lines), ha="center", va="center", fontsize=11)
    left, top = (sorted(ends) for ends in zip(*places.values(), strict=True))
    ax.legend(loc="lower left", title="with parameters", fontsize=11, title_fontsize=11)
    ax.set(xlim=(left[0] - 0.6, left[-1] + 0.6), ylim=(0.6, top[0] - 0.6))
    ax.axis("off")
    return ax


def tower_size(built: Any) -> tuple[float, float]:
    """Inches of width and height at which letters fit the boxes of a `tower`."""
    left, top = zip(*_placed(built)[0].values(), strict=True)
    return 1.7 * (max(left) - min(left) + 1.2), 1.05 * (max(top) - min(top) + 1.2)


_ARROW = {"arrowstyle": "-|>", "color": "grey", "mutation_scale": 14, "shrinkA": 0, "shrinkB": 0}
_KINDS = {
    "Embedding": ("embedding", COLOURS[2]),
    "Dense": ("dense", COLOURS[0]),
    "FullWidthConv2D": ("convolution", COLOURS[4]),
}


def _placed(tower: Any) -> tuple[dict[Any, tuple[float, float]], dict[Any, list[Any]]]:
    """Where each operation of a tower stands, its last one at height 0, and what feeds it."""
    operations = tower.operations
    maker = {id(operation.output): operation for operation in operations}
    parents = {}
    for operation in operations:
        given = operation.input if isinstance(operation.input, list) else [operation.input]
        parents[operation] = [maker[id(x)] for x in given if maker[id(x)] is not operation]
    depth: dict[Any, int] = {}
    seen_at: dict[Any, list[float]] = {operation: [] for operation in operations}

    def visit(operation: Any, level: int, start: float) -> float:
        """Place an operation above what it feeds; gives the columns that it needs."""
        depth[operation] = max(depth.get(operation, 0), level)
        stop = start
        for parent in parents[operation]:
            stop += visit(parent, level + 1, stop)
        width = max(stop - start, 1.0)
        seen_at[operation].append(start + width / 2 - 0.5)
        return width

    visit(maker[id(tower.output)], 0, 0.0)
    return {o: (sum(xs) / len(xs), -float(depth[o])) for o, xs in seen_at.items()}, parents
