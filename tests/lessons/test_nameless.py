"""The network that must do without ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from keras import ops

from movierec.data.features import Features
from movierec.lessons.nameless import FORGOTTEN, Nameless
from movierec.network.recipes import FAST
from movierec.network.towers import all_vectors
from movierec.sample.simulate import Simulation


def test_films_are_told_apart_by_genres_and_title_alone(small_world: Simulation) -> None:
    features = Features.fit(small_world.tables)
    for field in features.movie_fields.values():
        field[2] = field[1]
    network = Nameless(features, FAST.network)
    films = all_vectors(network)[1]
    np.testing.assert_array_equal(films[1], films[2])
    assert not np.allclose(films[1], films[3])


def test_while_it_learns_a_share_of_the_films_stands_without_its_id(
    small_world: Simulation,
) -> None:
    config = replace(FAST.network, title_dropout=0.0)
    network = Nameless(Features.fit(small_world.tables), config)
    same = ops.ones((5000,), "int32")
    unnamed = network.movie_vectors(same[:1]).numpy()
    learning = network.movie_vectors(same, training=True).numpy()
    forgotten = np.isclose(learning, unnamed, atol=1e-6).all(axis=1)
    assert abs(forgotten.mean() - FORGOTTEN) < 0.03
    assert len(np.unique(learning.round(5), axis=0)) == 2
