"""The shape explorer: dimensions as sliders, and every shape and parameter count follows.

Shapes are derived by rule (see `shapes`), so that it needs neither TensorFlow nor a built network.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import ipywidgets
import pandas as pd
from pandas.io.formats.style import Styler

from movierec.data.features import Sizes
from movierec.lessons.shapes import LayerShape, derive
from movierec.lessons.tables import listed
from movierec.network.settings import NetworkConfig

SLIDERS = {  # by dimension: what it is called, least, most
    "title_length": ("Words of a title, L", 7, 30),  # so that every window fits
    "embed_dim": ("Width of embeddings, d", 2, 128),
    "side_dim": ("Width of gender, age, job", 2, 64),
    "filters": ("Filters of a window, f", 1, 64),
    "vector_dim": ("Length of the vectors, v", 2, 400),
}
WINDOWS = range(1, 8)  # words of one
WRAPPED = {"flex_flow": "row wrap", "align_items": "center"}
SPACE = "\N{NO-BREAK SPACE}"
MARK = "background: color-mix(in srgb, #f5b73d 35%, transparent)"


def shape_table(layers: list[LayerShape], begun: list[LayerShape]) -> Styler:
    """Layers for reading; what differs from those of another network is marked."""
    names = ["shape", "parameters", "arithmetic"]
    now, before = (
        pd.DataFrame(each).set_index("layer")[["rule", *names]] for each in (layers, begun)
    )
    differs = now[names] != before[names].reindex(now.index)
    now["shape"] = now["shape"].map(lambda shape: f"({f',{SPACE}'.join(map(str, shape))})")
    now["parameters"] = now["parameters"].where(now["parameters"] > 0)  # else nothing is shown
    table = listed(now.rename_axis(None), ranked=False)
    return table.apply(lambda part: differs[part.name].map({True: MARK, False: ""}), subset=names)


def shape_explorer(sizes: Sizes, config: NetworkConfig | None = None) -> ipywidgets.VBox:
    """Sliders for the dimensions of the documented network, and the table of its layers.

    Args:
        sizes: of the data.
        config: where it begins; None: at the documented dimensions.

    Returns:
        A box of four: the sliders, a heading, checkboxes for the windows and a button that leads
        back to the beginning, and the answer as HTML.
    """
    config = config or NetworkConfig(mask_padding=False)
    begun, known = derive(sizes, config), asdict(sizes) | asdict(config)
    sliders = {
        name: ipywidgets.IntSlider(
            *(min(max(known[name], low), high), low, high),
            description=label,
            style={"description_width": "initial"},
        )
        for name, (label, low, high) in SLIDERS.items()
    }
    windows = {
        n: ipywidgets.Checkbox(n in config.windows, description=f"{n} words", indent=False)
        for n in WINDOWS
    }
    again, answer = ipywidgets.Button(description="As it was"), ipywidgets.HTML()
    start = [(each, each.value) for each in (*sliders.values(), *windows.values())]

    def refresh(_: Any = None) -> None:
        chosen: dict[str, Any] = {name: int(each.value) for name, each in sliders.items()}
        own = replace(sizes, title_length=chosen.pop("title_length"))
        chosen["windows"] = tuple(n for n, box in windows.items() if box.value)
        if not chosen["windows"]:
            said = "Without a window the title says nothing: tick at least one."
            answer.value = f'<p role="status">{said}</p>'
            return
        layers = derive(own, replace(config, **chosen))
        now, before = (sum(layer.parameters for layer in each) for each in (layers, begun))
        said = f"{now - before:+,} against" if now != before else "as at"
        said = f"<b>{now:,} parameters</b>, {said} the beginning. What differs is marked."
        answer.value = f'<p role="status">{said}</p>{shape_table(layers, begun).to_html()}'

    def reset(_: Any) -> None:
        for each, value in start:
            each.value = value

    for each, _ in start:
        each.observe(refresh, "value")
    again.on_click(reset)
    refresh()
    heading = ipywidgets.HTML("<b>Windows of the title's convolution</b>")
    rows = ([*sliders.values()], [*windows.values(), again])
    above, below = (ipywidgets.Box(row, layout=WRAPPED) for row in rows)
    return ipywidgets.VBox([above, heading, below, answer])
