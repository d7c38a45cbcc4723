"""The shape explorer: its controls lead to what the rules derive."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from movierec.data.features import Sizes
from movierec.lessons.shapes import derive
from movierec.lessons.shapewidget import ShapeExplorer, shape_explorer
from movierec.network.settings import NetworkConfig

ONE_MILLION = Sizes(6041, 2, 7, 21, 3953, 19, 5217, 18, 15)
DOCUMENTED = NetworkConfig(mask_padding=False)


@pytest.fixture
def view() -> ShapeExplorer:
    return shape_explorer(ONE_MILLION)


def marked(view: ShapeExplorer) -> list[str]:
    return [unescape(text) for text in re.findall("<mark>(.*?)</mark>", view.answer.value)]


def test_it_opens_as_documented(view: ShapeExplorer):
    assert view.parameters == 541_456
    assert "541,456 parameters" in view.answer.value
    assert marked(view) == []
    assert view.answer.value.count("<tr>") == 1 + len(derive(ONE_MILLION, DOCUMENTED))


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
def test_a_slider_changes_what_the_rules_say(view, control, value, sizes, config):
    getattr(view, control).value = value
    assert view.layers == derive(replace(ONE_MILLION, **sizes), replace(DOCUMENTED, **config))
    assert marked(view)
    assert f"{view.parameters:,} parameters" in view.answer.value


def test_windows_are_ticked(view: ShapeExplorer):
    view.windows[6].value = True
    assert view.layers == derive(ONE_MILLION, replace(DOCUMENTED, windows=(2, 3, 4, 5, 7)))
    assert "(B, 9, 1, 8)" in marked(view)
    view.again.click()
    assert marked(view) == []
    assert view.parameters == 541_456


def test_no_window_is_said_in_words(view: ShapeExplorer):
    for box in view.windows:
        box.value = False
    assert "tick at least one" in view.answer.value


def test_every_window_fits_the_shortest_title(view: ShapeExplorer):
    for box in view.windows:
        box.value = True
    view.title_length.value = 0  # stays within its range
    assert all(size == "B" or size > 0 for layer in view.layers for size in layer.shape)


def test_data_without_demographics_has_no_layers_for_them():
    sizes = replace(ONE_MILLION, genders=0, ages=0, jobs=0)
    assert "gender" not in shape_explorer(sizes).answer.value


def test_the_twin_without_a_kernel_has_what_differs(view: ShapeExplorer):
    view.filters.value = 10
    twin = view.static()
    assert f"{view.parameters:,} parameters" in twin
    assert twin.count("<mark>") == len(marked(view))
    assert "uid_embed_layer" not in twin
    assert "conv_layer_5" in twin
