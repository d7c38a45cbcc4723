"""The shape explorer: its controls lead to what the rules derive."""

from __future__ import annotations

import re
from dataclasses import replace

import ipywidgets
import pytest

from movierec.data.features import Sizes
from movierec.lessons.shapes import count_parameters, derive
from movierec.lessons.shapewidget import MARK, SLIDERS, SPACE, shape_explorer, shape_table
from movierec.network.settings import NetworkConfig

ONE_MILLION = Sizes(6041, 2, 7, 21, 3953, 19, 5217, 18, 15)
DOCUMENTED = NetworkConfig(mask_padding=False)


class View:
    """What a visitor sees of it."""

    def __init__(self, sizes: Sizes = ONE_MILLION) -> None:
        above, _, below, self.answer = shape_explorer(sizes).children
        self.sliders = dict(zip(SLIDERS, above.children, strict=True))
        *self.windows, self.again = below.children
        assert isinstance(self.again, ipywidgets.Button)

    def cells(self) -> list[list[str]]:
        """The table's, as text."""
        said = self.answer.value.replace(SPACE, " ")
        rows = re.findall(r"<tr>(.*?)</tr>", said, flags=re.DOTALL)[1:]
        return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]

    def marked(self) -> set[str]:
        """Ids of cells that are marked."""
        rules = (
            self.answer.value.split(MARK)[0].rsplit("}", 1)[-1] if MARK in self.answer.value else ""
        )
        return set(re.findall(r"#(T_\w+)", rules))


def test_it_opens_as_documented():
    view = View()
    assert "541,456 parameters" in view.answer.value
    assert "as at the beginning" in view.answer.value
    assert view.marked() == set()
    assert len(view.cells()) == len(derive(ONE_MILLION, DOCUMENTED))


@pytest.mark.parametrize(
    ("control", "value", "sizes", "config"),
    [
        ("title_length", 20, {"title_length": 20}, {}),
        ("embed_dim", 16, {}, {"embed_dim": 16}),
        ("side_dim", 8, {}, {"side_dim": 8}),
        ("filters", 10, {}, {"filters": 10}),
        ("vector_dim", 50, {}, {"vector_dim": 50}),
    ],
)
def test_a_slider_changes_what_the_rules_say(control, value, sizes, config):
    view = View()
    view.sliders[control].value = value
    own = replace(ONE_MILLION, **sizes), replace(DOCUMENTED, **config)
    shapes = [f"({', '.join(map(str, layer.shape))})" for layer in derive(*own)]
    assert [cells[2] for cells in view.cells()] == shapes
    assert view.marked()
    assert f"{count_parameters(*own):,} parameters" in view.answer.value


def test_windows_are_ticked():
    view = View()
    view.windows[6].value = True
    assert "(B, 9, 1, 8)" in [cells[2] for cells in view.cells()]  # 15 - 7 + 1
    view.again.click()
    assert view.marked() == set()
    assert "541,456 parameters" in view.answer.value


def test_no_window_is_said_in_words():
    view = View()
    for box in view.windows:
        box.value = False
    assert "tick at least one" in view.answer.value


def test_every_window_fits_the_shortest_title():
    view = View()
    for box in view.windows:
        box.value = True
    view.sliders["title_length"].value = 0  # stays within its range
    assert "(B, 1, 1, 8)" in [cells[2] for cells in view.cells()]
    assert not re.search(r"[( ](0|-\d+)[,)]", "".join(cells[2] for cells in view.cells()))


def test_data_without_demographics_has_no_layers_for_them():
    assert "gender" not in View(replace(ONE_MILLION, genders=0, ages=0, jobs=0)).answer.value


def test_a_table_marks_what_differs_alone():
    begun = derive(ONE_MILLION, DOCUMENTED)
    layers = derive(ONE_MILLION, replace(DOCUMENTED, filters=10))
    few = [layer for layer in layers if layer not in begun]
    html = shape_table(few, begun).to_html()
    assert "conv_layer_5" in html
    assert "uid_embed_layer" not in html
    assert MARK in html
    assert MARK not in shape_table(begun, begun).to_html()
