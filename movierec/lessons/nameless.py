"""The documented network, made to answer for films whose id it has never seen."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from movierec.data.features import Features
from movierec.network.settings import NetworkConfig
from movierec.network.towers import TwoTower

FORGOTTEN = 0.3  # share of the films of a batch


class Nameless(TwoTower):
    """The network, which must do without some films' ids while it learns, and without all after.

    In place of an id stands row 0, that of the padding, so that genres and title have to tell what
    they can.

    Reference:
        Volkovs, Yu and Poutanen (2017), DropoutNet, section 3.
    """

    def __init__(self, features: Features, config: NetworkConfig, seed: int = 0) -> None:
        super().__init__(features, config, seed)
        self.drawn = keras.random.SeedGenerator(seed)

    def movie_vectors(self, movie_idx: Any, training: bool = False) -> Any:
        """(B,) row numbers to (B, vector_dim)."""
        known = movie_idx * 0
        if training:
            kept = keras.random.uniform(ops.shape(movie_idx), seed=self.drawn) >= FORGOTTEN
            known = ops.where(kept, movie_idx, 0)
        fields = {k: ops.take(v, movie_idx, axis=0) for k, v in self._movie_tables.items()}
        return self.movie_tower(fields | {"movie_id": known[:, None]}, training=training)
