"""The shape explorer: dimensions as sliders, and every shape and parameter count follows.

Shapes are derived by rule (see `shapes`), so that it needs neither TensorFlow nor a built network.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any

import ipywidgets

from movierec.data.features import Sizes
from movierec.lessons.shapes import LayerShape, derive
from movierec.network.settings import NetworkConfig

WINDOWS = range(1, 8)  # words of one
TITLES = (7, 30)  # words of a title, so that every window fits
STYLE = """<style>
.shapes table { border-collapse: collapse; font-size: 13px; text-align: left; }
.shapes th, .shapes td { padding: 2px 10px 2px 0; font-weight: 400; }
.shapes thead th { font-weight: 600; } .shapes caption { text-align: left; }
.shapes mark { background: color-mix(in srgb, #f5b73d 35%, transparent); color: inherit; }
</style>"""
LAYER_COLUMNS = ("layer", "rule", "shape", "parameters")


def shape_explorer(sizes: Sizes, config: NetworkConfig | None = None) -> ShapeExplorer:
    """Sliders for the dimensions of the documented network, and the table of its layers.

    It begins with the dimensions of `config`, or with the documented ones.

    Example:
        >>> from movierec.data.features import Sizes
        >>> view = shape_explorer(Sizes(6041, 2, 7, 21, 3953, 19, 5217, 18, 15))  # ML-1M
        >>> view.filters.value = 16
        >>> view.parameters - 541_456  # 3,616 more in filters, 32 more inputs of the last layer
        10016
    """
    return ShapeExplorer(sizes, config or NetworkConfig(mask_padding=False))


class ShapeExplorer(ipywidgets.VBox):
    """The widget.

    Attributes:
        title_length, embed_dim, side_dim, filters, vector_dim: sliders, whole numbers.
        windows: a checkbox for each of `WINDOWS`.
        again: back to where it began.
        answer: the table, as HTML; layers that differ from the beginning are marked.
        parameters: trainable numbers in all.
    """

    def __init__(self, sizes: Sizes, config: NetworkConfig) -> None:
        self._sizes, self._config, self._begun = sizes, config, derive(sizes, config)
        self.title_length = _slider("Words of a title, L", sizes.title_length, *TITLES)
        self.embed_dim = _slider("Width of embeddings, d", config.embed_dim, 2, 128)
        self.side_dim = _slider("Width of gender, age, job", config.side_dim, 2, 64)
        self.filters = _slider("Filters of a window, f", config.filters, 1, 64)
        self.vector_dim = _slider("Length of the vectors, v", config.vector_dim, 2, 400)
        self.windows = [
            ipywidgets.Checkbox(words in config.windows, description=f"{words} words", indent=False)
            for words in WINDOWS
        ]
        self.again = ipywidgets.Button(description="As it was")
        self.answer = ipywidgets.HTML()
        sliders = (self.title_length, self.embed_dim, self.side_dim, self.filters, self.vector_dim)
        self._start = [(control, control.value) for control in (*sliders, *self.windows)]
        heading = ipywidgets.HTML("<b>Windows of the title's convolution</b>")
        ticks = _row(*self.windows, self.again)
        super().__init__([_row(*sliders), heading, ticks, self.answer])
        for control, _ in self._start:
            control.observe(self._refresh, "value")
        self.again.on_click(self._reset)
        self._refresh()

    @property
    def layers(self) -> list[LayerShape]:
        """The layers as the controls have them."""
        chosen = replace(
            self._config,
            embed_dim=int(self.embed_dim.value),
            side_dim=int(self.side_dim.value),
            filters=int(self.filters.value),
            vector_dim=int(self.vector_dim.value),
            windows=tuple(n for n, box in enumerate(self.windows, 1) if box.value),
        )
        return derive(replace(self._sizes, title_length=int(self.title_length.value)), chosen)

    @property
    def parameters(self) -> int:
        """Trainable numbers in all."""
        return sum(layer.parameters for layer in self.layers)

    def static(self) -> str:
        """The layers that differ from the beginning as HTML that needs no kernel."""
        return self._table([layer for layer in self.layers if layer not in self._begun])

    def _reset(self, _: Any = None) -> None:
        for control, value in self._start:
            control.value = value

    def _refresh(self, _: Any = None) -> None:
        if any(box.value for box in self.windows):
            self.answer.value = self._table(self.layers)
        else:
            said = "Without a window the title says nothing: tick at least one."
            self.answer.value = f'<p role="status">{said}</p>'

    def _table(self, layers: list[LayerShape]) -> str:
        before = {layer.layer: layer for layer in self._begun}
        rows = "".join(_line(layer, before.get(layer.layer)) for layer in layers)
        change = self.parameters - sum(layer.parameters for layer in self._begun)
        said = "as at the beginning" if not change else f"{change:+,} against the beginning"
        head = "".join(f'<th scope="col">{name}</th>' for name in LAYER_COLUMNS)
        return (
            f'{STYLE}<div class="shapes"><p role="status"><b>{self.parameters:,} parameters</b>, '
            f"{said}.</p><table><caption>What differs from the beginning is marked</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        )


def _line(layer: LayerShape, before: LayerShape | None) -> str:
    shape = f"({', '.join(map(str, layer.shape))})"
    count = f"{layer.parameters:,} = {layer.arithmetic}" if layer.parameters else ""
    if before is None or before.shape != layer.shape:
        shape = f"<mark>{shape}</mark>"
    if before is None or before.parameters != layer.parameters:
        count = f"<mark>{count}</mark>"
    cells = "".join(f"<td>{cell}</td>" for cell in (escape(layer.rule), shape, count))
    return f'<tr><th scope="row">{layer.layer}</th>{cells}</tr>'


def _slider(label: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
    value, style = min(max(value, low), high), {"description_width": "initial"}
    return ipywidgets.IntSlider(value, low, high, description=label, style=style)


def _row(*children: ipywidgets.Widget) -> ipywidgets.Box:
    """Controls beside each other, wrapping."""
    return ipywidgets.Box(list(children), layout={"flex_flow": "row wrap", "align_items": "center"})
