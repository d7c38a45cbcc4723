"""The network: two towers and a dot product. It knows nothing of training.

Shapes are written above the operations with B the batch size; ML-1M's numbers are given where they
help. Layer names are those of the source document.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers, ops

from movierec.data.features import Features, Sizes
from movierec.logs import logger
from movierec.network.settings import NetworkConfig

FEW_CORES = 4

if (os.cpu_count() or 1) <= FEW_CORES:
    # The network's operations are small: on few cores several at once, of one thread each, are a
    # third to two thirds quicker than one at a time on all cores (benchmarks/README.md). It is set
    # here, before the first of them, as it cannot be set later, and as the number of threads
    # decides the last digits of sums.
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError as error:
        logger(__name__).info("TensorFlow is in use already: %s", error)

Start = npt.NDArray[np.float32] | None  # added to an embedding matrix's random initial values


class MaskPadding(layers.Layer):
    """Set to zero what stands at padding positions (index 0), so that it adds nothing.

    x (B, L', ...) and the indices (B, L), L' at most L, to the shape of x, whose position i begins
    at index i.
    """

    def call(self, x: Any, indices: Any) -> Any:
        kept = ops.cast(indices[:, : x.shape[1]] != 0, x.dtype)
        return x * ops.reshape(kept, (-1, x.shape[1]) + (1,) * (len(x.shape) - 2))


class SumPositions(layers.Layer):
    """The sum over positions, (B, L, width) to (B, 1, width)."""

    def call(self, x: Any) -> Any:
        return ops.sum(x, axis=1, keepdims=True)


class FullWidthConv2D(layers.Conv2D):
    """A 2-D convolution whose filters are as wide as their input, computed as the 1-D one it is.

    Such a filter slides in one direction only. Weights and shapes are those of `Conv2D`; the 1-D
    kernel gives the same numbers ten times sooner on a CPU, since it has 32 input channels to work
    on at once in place of one. (B, words, width, 1) to (B, words - window + 1, 1, filters).
    """

    def call(self, x: Any) -> Any:
        # (B, 15, 32, 1) and (w, 32, 1, 8) -> (B, 16 - w, 8)
        y = ops.conv(x[..., 0], self.kernel[:, :, 0], padding="valid")
        return (y + self.bias)[:, :, None]


def user_tower(sizes: Sizes, config: NetworkConfig, seed: int, start: Start = None) -> keras.Model:
    """The user's half: id, gender, age and job to a vector.

    Input shape:
        A dict of int32 (B, 1): `uid`, and `gender`, `age`, `job` where the data has them.

    Output shape:
        (B, vector_dim)
    """
    init = _Initializers(config, seed)
    fields = {"uid": (sizes.users, config.embed_dim, start)}
    side = {"gender": sizes.genders, "age": sizes.ages, "job": sizes.jobs}
    fields |= {field: (rows, config.side_dim, None) for field, rows in side.items() if rows}
    inputs, features = {}, []
    for field, (rows, width, values) in fields.items():
        # (B, 1) -> (B, 1, 32), or (B, 1, 16) for gender, age and job
        inputs[field] = keras.Input((1,), dtype="int32", name=field)
        x = init.embedding(rows, width, f"{field}_embed_layer", values)(inputs[field])
        # (B, 1, width) -> (B, 1, 32)
        features.append(init.dense(config.embed_dim, "relu", f"{field}_fc_layer")(x))
    # 4 x (B, 1, 32) -> (B, 1, 128)
    x = layers.Concatenate(2, name="user_combine_layer")(features)
    # (B, 1, 128) -> (B, 1, 200) -> (B, 200)
    x = init.vector("user_combine_fc_layer")(x)
    x = layers.Reshape((config.vector_dim,), name="user_combine_layer_flat")(x)
    return keras.Model(inputs, x, name="user_tower")


def movie_tower(sizes: Sizes, config: NetworkConfig, seed: int, start: Start = None) -> keras.Model:
    """The movie's half: id, genres and a text CNN over the title to a vector.

    Input shape:
        A dict of int32: `movie_id` (B, 1), `genres` (B, slots), `title` (B, title_length).

    Output shape:
        (B, vector_dim)

    Reference:
        Kim (2014), Convolutional Neural Networks for Sentence Classification, section 2.
    """
    init = _Initializers(config, seed)
    movie_id = keras.Input((1,), dtype="int32", name="movie_id")
    genres = keras.Input((sizes.genre_slots,), dtype="int32", name="genres")
    title = keras.Input((sizes.title_length,), dtype="int32", name="title")

    # (B, 1) -> (B, 1, 32) -> (B, 1, 32)
    x = init.embedding(sizes.movies, config.embed_dim, "movie_id_embed_layer", start)(movie_id)
    id_feature = init.dense(config.embed_dim, "relu", "movie_id_fc_layer")(x)

    # (B, 18) -> (B, 18, 32) -> (B, 1, 32) -> (B, 1, 32)
    x = init.embedding(sizes.genres, config.embed_dim, "movie_categories_embed_layer")(genres)
    if config.mask_padding:
        x = MaskPadding(name="movie_categories_masked")(x, genres)
    x = SumPositions(name="movie_categories_sum_layer")(x)
    genre_feature = init.dense(config.embed_dim, "relu", "movie_categories_fc_layer")(x)

    # (B, 15) -> (B, 15, 32) -> (B, 15, 32, 1)
    x = init.embedding(sizes.words, config.embed_dim, "movie_title_embed_layer")(title)
    if config.mask_padding:
        x = MaskPadding(name="movie_title_masked")(x, title)
    x = layers.Reshape((*x.shape[1:], 1), name="movie_title_embed_layer_expand")(x)
    pooled = []
    for window in config.windows:
        # (B, 15, 32, 1) -> (B, 16 - w, 1, 8): a filter is as wide as the embedding
        y = init.convolution(window, f"conv_layer_{window}")(x)
        y = layers.ReLU(name=f"relu_layer_{window}")(y)
        if config.mask_padding:
            y = MaskPadding(name=f"relu_masked_{window}")(y, title)
        # (B, 16 - w, 1, 8) -> (B, 1, 1, 8): the strongest answer over the whole title
        height = sizes.title_length - window + 1
        pooled.append(layers.MaxPooling2D((height, 1), name=f"maxpool_layer_{window}")(y))
    # 4 x (B, 1, 1, 8) -> (B, 1, 1, 32) -> (B, 1, 32)
    x = layers.Concatenate(3, name="pool_layer")(pooled)
    x = layers.Reshape((1, x.shape[3]), name="pool_layer_flat")(x)
    title_feature = layers.Dropout(config.title_dropout, seed=init.next(), name="dropout_layer")(x)

    # 3 x (B, 1, 32) -> (B, 1, 96) -> (B, 1, 200) -> (B, 200)
    features = [id_feature, genre_feature, title_feature]
    x = layers.Concatenate(2, name="movie_combine_layer")(features)
    x = init.vector("movie_combine_fc_layer")(x)
    x = layers.Reshape((config.vector_dim,), name="movie_combine_layer_flat")(x)
    inputs = {"movie_id": movie_id, "genres": genres, "title": title}
    return keras.Model(inputs, x, name="movie_tower")


class TwoTower(keras.Model):
    """The rating network over whole tables: a rating is asked for by two row numbers.

    The encoded features stay in tables on the device and are looked up inside the network, so a
    training row is two indices and a target.

    Args:
        features: the encoded tables.
        config: the dimensions.
        seed: of the initial weights and the dropout.
        users_start, movies_start: added to the random values at which the embeddings of the ids
            start, (rows, embed_dim).

    Input shape:
        A pair (user_idx, movie_idx), int32 (B,) each.

    Output shape:
        (B, 1), the predicted ratings, not clipped.
    """

    def __init__(
        self,
        features: Features,
        config: NetworkConfig,
        seed: int = 0,
        users_start: Start = None,
        movies_start: Start = None,
    ) -> None:
        super().__init__(name="two_tower")
        self.sizes, self.config = features.sizes, config
        self.user_tower = user_tower(features.sizes, config, seed, users_start)
        self.movie_tower = movie_tower(features.sizes, config, seed + 1, movies_start)
        self._user_tables = {k: ops.convert_to_tensor(v) for k, v in features.user_fields.items()}
        self._movie_tables = {k: ops.convert_to_tensor(v) for k, v in features.movie_fields.items()}
        self.built = True

    def user_vectors(self, user_idx: Any) -> Any:
        """(B,) row numbers to (B, vector_dim)."""
        fields = {"uid": user_idx[:, None]}
        fields |= {k: ops.take(v, user_idx)[:, None] for k, v in self._user_tables.items()}
        return self.user_tower(fields)

    def movie_vectors(self, movie_idx: Any, training: bool = False) -> Any:
        """(B,) row numbers to (B, vector_dim); the title feature drops out in training."""
        fields = {"movie_id": movie_idx[:, None]}
        fields |= {k: ops.take(v, movie_idx, axis=0) for k, v in self._movie_tables.items()}
        return self.movie_tower(fields, training=training)

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        user_idx, movie_idx = inputs
        products = self.user_vectors(user_idx) * self.movie_vectors(movie_idx, training)
        return ops.sum(products, axis=1, keepdims=True)  # (B, 200) -> (B, 1)


def all_vectors(
    model: TwoTower, block: int = 8192
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Every user's and every movie's vector, by row number.

    Args:
        model: the network.
        block: rows computed at once, to bound memory.

    Returns:
        float32 (user rows, vector_dim) and (movie rows, vector_dim).
    """

    def every(vectors_of: Any, rows: int) -> npt.NDArray[np.float32]:
        starts = range(0, rows, block)
        return np.concatenate(
            [ops.convert_to_numpy(vectors_of(ops.arange(a, min(a + block, rows)))) for a in starts]
        )

    sizes = model.sizes
    return every(model.user_vectors, sizes.users), every(model.movie_vectors, sizes.movies)


class _Initializers:
    """Layers with documented initial values, each with a seed of its own drawn from one seed."""

    def __init__(self, config: NetworkConfig, seed: int) -> None:
        self._config = config
        self._rng = np.random.default_rng(seed)

    def next(self) -> int:
        return int(self._rng.integers(2**31))

    def embedding(self, rows: int, width: int, name: str, values: Start = None) -> layers.Embedding:
        limit = self._config.embedding_range
        draw = keras.initializers.RandomUniform(-limit, limit, seed=self.next())
        # as an initial value, not assigned later: several workers take it from the first of them
        start = draw if values is None else lambda shape, dtype: draw(shape, dtype) + values
        return layers.Embedding(rows, width, embeddings_initializer=start, name=name)

    def dense(self, units: int, activation: str, name: str, bias: float = 0.0) -> layers.Dense:
        start = {
            "kernel_initializer": keras.initializers.GlorotUniform(seed=self.next()),
            "bias_initializer": keras.initializers.Constant(bias),
        }
        return layers.Dense(units, activation, name=name, **start)

    def vector(self, name: str) -> layers.Dense:
        # equal entries v of both vectors have the dot product vector_dim * v * v
        entry = np.sqrt(self._config.start_rating / self._config.vector_dim)
        return self.dense(self._config.vector_dim, "tanh", name, float(np.arctanh(entry)))

    def convolution(self, window: int, name: str) -> FullWidthConv2D:
        return FullWidthConv2D(
            self._config.filters,
            (window, self._config.embed_dim),
            padding="valid",
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.1, seed=self.next()),
            bias_initializer=keras.initializers.Constant(0.1),
            name=name,
        )
