"""What a run computes as TensorFlow functions that need no movierec: towers, and the best films.

Each becomes a signature of a SavedModel and an ONNX graph; `export` says what they take and give.
"""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from movierec.network.network import load_network
from movierec.recommend.scorer import EVEN, LIKING, STEEPNESS
from movierec.runs import Run

Tensors = dict[str, tf.Tensor]

OPSET = 18  # of ONNX; read by ONNX Runtime from 1.14 on


class Graphs(tf.Module):
    """The `functions` of a run, by name, each from a dict of tensors to a dict of tensors."""

    def __init__(self, run: Run) -> None:
        super().__init__(name="movierec")
        recommender, model = run.recommender, run.recommender.model
        watching, ids = model.watching, recommender.features.movies.ids
        # variables, since a constant is bound to 2 GiB in all
        self.users, self.movies, self.profiles, self.watched, self.ids = (
            tf.Variable(array, trainable=False)
            for array in (model.users, model.films, watching.profiles, watching.watched, ids)
        )
        self.lowest, self.highest = recommender.lowest, recommender.highest
        row = _given("user_idx", (None,))
        person = _given("vector", (None, None), tf.float32)
        person |= _given("profile", (None, None), tf.float32)
        asked = _given("exclude", (None, None)) | _given("k", ())
        self.functions = {
            "top_k": tf.function(self.of_rows, [row | asked]),
            "top_k_for_vector": tf.function(self.of_vectors, [person | asked]),
        }
        if "network" in run.config:
            network = load_network(run)
            # a module saves the variables that it holds, and Keras' are hidden from it
            self._weights = [variable.value for variable in network.trainable_variables]
            for tower in (network.user_tower, network.movie_tower):
                fields: dict[str, tf.TensorSpec] = {}
                for field in tower.inputs:
                    fields |= _given(field.name, (None, *field.shape[1:]))
                self.functions[tower.name] = tf.function(partial(_vector, tower), [fields])

    def of_rows(self, given: Tensors) -> Tensors:
        """The best films of users of the data: `user_idx` (B,), `exclude` (B, E), `k` ()."""
        halves = {"vector": self.users, "profile": self.profiles}
        person = {name: tf.gather(matrix, given["user_idx"]) for name, matrix in halves.items()}
        return self.of_vectors(given | person)

    def of_vectors(self, given: Tensors) -> Tensors:
        """Those of anybody: `vector` (B, d), `profile` (B, r), `exclude` (B, E), `k` ()."""
        stars = _product(given["vector"], self.movies)  # (B, m)
        watch = tf.maximum(_product(given["profile"], self.watched), 1e-6)
        like = tf.math.log_sigmoid(STEEPNESS * (stars - EVEN))
        order = tf.exp((1 - LIKING) * tf.math.log(watch) + LIKING * like)
        order = tf.where(self.ids[None] >= 0, order, -np.inf)
        # (B, E) -> (B * E, 2): the place in the matrix of each film that is left out
        exclude = given["exclude"]
        row = tf.broadcast_to(tf.range(tf.shape(exclude)[0])[:, None], tf.shape(exclude))
        place = tf.reshape(tf.stack([row, exclude], axis=2), (-1, 2))
        never = tf.fill((tf.size(exclude),), np.float32(-np.inf))
        order = tf.tensor_scatter_nd_update(order, place, never)
        k = tf.minimum(given["k"], self.ids.shape[0])
        score, movie_idx = tf.math.top_k(order, k)  # (B, k); ties by position, as in `top_k`
        movie_idx = tf.where(score > -np.inf, movie_idx, 0)  # row 0 has the id -1
        stars = tf.gather(stars, movie_idx, batch_dims=1)
        stars = tf.clip_by_value(stars, self.lowest, self.highest)
        stars = tf.where(score > -np.inf, stars, -np.inf)
        movie_id = tf.gather(self.ids, movie_idx)
        return {"movie_id": movie_id, "movie_idx": movie_idx, "score": score, "predicted": stars}


def save(graphs: Graphs, folder: Path) -> None:
    """Write all functions as the signatures of one SavedModel; `OSError` where the disk is full."""
    signatures = {name: f.get_concrete_function() for name, f in graphs.functions.items()}
    try:
        tf.saved_model.save(graphs, str(folder), signatures=signatures)
    except tf.errors.ResourceExhaustedError as error:  # said of a full memory, too
        if "No space left on device" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error


def save_onnx(graphs: Graphs, folder: Path) -> None:
    """Write each function as `NAME.onnx`."""
    import tf2onnx

    for name, function in graphs.functions.items():
        takes, path = function.input_signature, str(folder / f"{name}.onnx")
        tf2onnx.convert.from_function(function, takes, opset=OPSET, output_path=path)


def _vector(tower: keras.Model, fields: Tensors) -> Tensors:
    return {"vector": tower(fields, training=False)}


def _given(name: str, shape: tuple[int | None, ...], kind: tf.DType = tf.int32) -> Tensors:
    """An argument of a function, by its name."""
    return {name: tf.TensorSpec(shape, kind, name=name)}


def _product(vectors: tf.Tensor, matrix: tf.Variable) -> tf.Tensor:
    """(B, up to d) and (m, d) to (B, m); entries that a vector lacks are 0."""
    lacking = matrix.shape[1] - tf.shape(vectors)[1]
    return tf.matmul(tf.pad(vectors, [[0, 0], [0, lacking]]), matrix, transpose_b=True)
