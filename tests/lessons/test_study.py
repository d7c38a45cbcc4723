"""Short trainings that share a traced step are the trainings that they would be alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from movierec.data.features import Features
from movierec.lessons.study import study
from movierec.network.fitting import fit
from movierec.network.network import started_network
from movierec.network.recipes import FAST
from movierec.network.settings import NetworkConfig

pytestmark = pytest.mark.long

# one window of titles in place of four: a step is traced in half the time
NARROW = replace(FAST, network=NetworkConfig(windows=(2,)))


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_a_training_that_comes_second_ends_as_it_would_alone(small_tables, schedule):
    recipe = replace(NARROW.changed(epochs=2, batch_size=256), schedule=schedule)
    others = {"before": NARROW.changed(epochs=1, batch_size=512, learning_rate=1e-2)}
    tried, learned, measured = study(small_tables, others | {"it": recipe}, max_rows=2000)
    recipe = recipe.starting_at(float(learned.rating.mean(dtype=np.float64)))
    model = started_network(Features.fit(small_tables), learned, recipe, 0)
    alone = fit(model, learned, measured, recipe, 0).history
    found = tried["it"].history
    assert found["val_loss"].tolist() == pytest.approx(alone["val_loss"].tolist(), abs=1e-3)
    assert len(learned.rating) == 2000
    assert len(tried["it"].losses) == 2 * 8
    assert tried["it"].losses[:8].mean() == pytest.approx(found["train_loss"][0], rel=0.02)


def test_a_learning_rate_that_is_too_high_is_a_result_like_any_other(small_tables):
    wild = NARROW.changed(epochs=3, batch_size=64, learning_rate=50.0)
    tried, *_ = study(small_tables, {"wild": wild}, max_rows=500)
    assert np.isinf(tried["wild"].history["val_loss"].iloc[-1])
