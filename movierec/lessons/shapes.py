"""Every layer's shape and parameter count, derived by rule and compared with the built network."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Sizes
from movierec.network.settings import NetworkConfig

if TYPE_CHECKING:
    import keras

Shape = tuple[int | str, ...]  # "B" stands for the batch size
MASKED, DROPPED = "zero where padding begins: unchanged", "the axis of length 1 dropped"


class LayerShape(NamedTuple):
    """One layer as the rules say it must be."""

    tower: str  # "user", "movie" or "rating"
    layer: str  # its name in the network
    rule: str  # how the shape follows from the layer before, in words
    shape: Shape  # of the output
    parameters: int = 0  # trainable numbers
    arithmetic: str = ""  # how they are counted; "" where there are none


def derive(sizes: Sizes, config: NetworkConfig) -> list[LayerShape]:
    """All layers from the sizes of the data and the dimensions, without TensorFlow.

    Returns:
        The layers in the order of the computation, user tower first, the dot product last.

    Example:
        >>> from movierec.network.settings import NetworkConfig
        >>> sizes = Sizes(6041, 2, 7, 21, 3953, 19, 5217, 18, 15)  # ML-1M
        >>> derive(sizes, NetworkConfig())[-1].shape
        ('B', 1)
    """
    rule = "product summed over the vector; one axis kept"
    rating = LayerShape("rating", "rating", rule, ("B", 1))
    return [*_user_layers(sizes, config), *_movie_layers(sizes, config), rating]


def count_parameters(sizes: Sizes, config: NetworkConfig) -> int:
    """All trainable numbers of the network of which `derive` tells the layers."""
    return sum(layer.parameters for layer in derive(sizes, config))


def _user_layers(sizes: Sizes, config: NetworkConfig) -> Iterator[LayerShape]:
    d = config.embed_dim
    fields = {"uid": (sizes.users, d)}
    if sizes.genders:
        side = {"gender": sizes.genders, "age": sizes.ages, "job": sizes.jobs}
        fields |= {field: (rows, config.side_dim) for field, rows in side.items()}
    for field, (rows, width) in fields.items():
        yield _embedding("user", f"{field}_embed_layer", rows, 1, width)
    for field, (_, width) in fields.items():
        yield _dense("user", f"{field}_fc_layer", width, d)
    joined, rule = d * len(fields), f"join {len(fields)} features of {d}"
    yield LayerShape("user", "user_combine_layer", rule, ("B", 1, joined))
    yield _dense("user", "user_combine_fc_layer", joined, config.vector_dim)
    yield LayerShape("user", "user_combine_layer_flat", DROPPED, ("B", config.vector_dim))


def _movie_layers(sizes: Sizes, config: NetworkConfig) -> Iterator[LayerShape]:
    d, words, slots = config.embed_dim, sizes.title_length, sizes.genre_slots
    filters, windows = config.filters, config.windows
    layer = partial(LayerShape, "movie")
    yield _embedding("movie", "movie_id_embed_layer", sizes.movies, 1, d)
    yield _embedding("movie", "movie_categories_embed_layer", sizes.genres, slots, d)
    if config.mask_padding:
        yield layer("movie_categories_masked", MASKED, ("B", slots, d))
    yield layer("movie_categories_sum_layer", f"the sum of {slots} positions", ("B", 1, d))
    yield _embedding("movie", "movie_title_embed_layer", sizes.words, words, d)
    if config.mask_padding:
        yield layer("movie_title_masked", MASKED, ("B", words, d))
    yield layer("movie_title_embed_layer_expand", "one channel added", ("B", words, d, 1))
    for w in windows:
        height = words - w + 1
        answers = ("B", height, 1, filters)
        yield layer(
            f"conv_layer_{w}",
            f"height {words} - {w} + 1 = {height}; width {d} - {d} + 1 = 1; {filters} filters",
            answers,
            w * d * filters + filters,
            f"{w} × {d} × 1 × {filters} weights + {filters} biases",
        )
        yield layer(f"relu_layer_{w}", "elementwise: unchanged", answers)
        if config.mask_padding:
            yield layer(f"relu_masked_{w}", MASKED, answers)
        yield layer(f"maxpool_layer_{w}", f"the largest of {height}", ("B", 1, 1, filters))
    pooled = filters * len(windows)
    yield layer("pool_layer", f"join {len(windows)} × {filters} channels", ("B", 1, 1, pooled))
    yield layer("pool_layer_flat", "one axis dropped", ("B", 1, pooled))
    yield layer("dropout_layer", "elementwise: unchanged", ("B", 1, pooled))
    yield _dense("movie", "movie_id_fc_layer", d, d)
    yield _dense("movie", "movie_categories_fc_layer", d, d)
    joined = 2 * d + pooled
    yield layer("movie_combine_layer", f"join {d} + {d} + {pooled}", ("B", 1, joined))
    yield _dense("movie", "movie_combine_fc_layer", joined, config.vector_dim)
    yield layer("movie_combine_layer_flat", DROPPED, ("B", config.vector_dim))


def _embedding(tower: str, layer: str, rows: int, positions: int, width: int) -> LayerShape:
    picks = "the index picks" if positions == 1 else f"each of {positions} indices picks"
    rule = f"{picks} a row of ({rows}, {width})"
    shape = ("B", positions, width)
    return LayerShape(tower, layer, rule, shape, rows * width, f"{rows} × {width}")


def _dense(tower: str, layer: str, inputs: int, units: int) -> LayerShape:
    arithmetic = f"{inputs} × {units} weights + {units} biases"
    rule = f"last axis {inputs} → {units}"
    return LayerShape(tower, layer, rule, ("B", 1, units), inputs * units + units, arithmetic)


def compare(derived: list[LayerShape], *towers: keras.Model) -> pd.DataFrame:
    """Hold the derived layers against those of the built user and movie tower.

    Returns:
        One row a derived layer that the towers have: `tower`, `layer`, `rule`, `derived` and
        `built` shape, `derived_parameters`, `built_parameters`, `equal`.

    Raises:
        KeyError: a layer that only one side has.
    """
    built = {layer.name: layer for tower in towers for layer in tower.layers}
    inputs = {tensor.name for tower in towers for tensor in tower.inputs}
    derived = [layer for layer in derived if layer.tower != "rating"]  # which is no Keras layer
    if stray := {layer.layer for layer in derived} ^ set(built) - inputs:
        raise KeyError(f"either derived or built, but not both: {', '.join(sorted(stray))}")
    names = ["tower", "layer", "rule", "derived", "derived_parameters"]
    table = pd.DataFrame([layer[:5] for layer in derived], columns=names)
    outputs = [built[name] for name in table["layer"]]
    parameters = [layer.count_params() for layer in outputs]
    table.insert(4, "built", [("B", *layer.output.shape[1:]) for layer in outputs])
    equal = (table["derived"] == table["built"]) & (table["derived_parameters"] == parameters)
    return table.assign(built_parameters=parameters, equal=equal)


def layer_outputs(
    tower: keras.Model, fields: dict[str, npt.NDArray[np.int32]]
) -> dict[str, npt.NDArray]:
    """What every layer of a built tower gives for some rows, int32 (B, width) by input name.

    Returns:
        Arrays of shape (B, ...) by layer, as at prediction time: dropout changes nothing.
    """
    outputs = {layer.name: layer.output for layer in tower.layers}
    probe = type(tower)(tower.input, outputs)  # the same layers, all of their outputs
    return {name: np.asarray(output) for name, output in probe(fields, training=False).items()}
