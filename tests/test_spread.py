"""Blocks in threads and by the workers of a Dask cluster: the same results, come what may."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.errors import InputError
from movierec.models.best import BestRecipe, fit_ratings
from movierec.runs import encode_rows
from movierec.spread import Held, by_threads, product, spread_over
from movierec.training import train

pytestmark = pytest.mark.long

TINY = BestRecipe("tiny", factors=12, passes=3, members=2)


@pytest.fixture(scope="module")
def rows(small_tables, small_features):
    return encode_rows(small_tables, small_features)


@pytest.fixture
def fit(small_features, rows):
    """Of the vectors of users and films."""

    def fitted(**how):
        nothing = rows.take(np.zeros(0, np.int64))
        return fit_ratings(small_features, rows, nothing, TINY, 0, **how).vectors(small_features)

    return fitted


def test_threads_give_results_in_the_order_of_the_blocks():
    shared = Held(10)
    found = by_threads(lambda ten, a, b: ten * a + b, [shared], [(3, 1), (1, 2)])
    assert list(found) == [31, 12]


@pytest.mark.parametrize("columns", [1, 64, 150])
def test_product_is_that_of_the_matrix(columns):
    rng = np.random.default_rng(0)
    matrix = sp.random_array((30, 20), density=0.2, format="csr", dtype=np.float32, rng=rng)
    array = rng.normal(size=(20, columns)).astype(np.float32)
    np.testing.assert_allclose(product(matrix, array), matrix.toarray() @ array, atol=1e-5)


@pytest.mark.parametrize("dying", ["none", "one", "all"])
def test_workers_of_a_cluster_give_what_threads_give_even_where_they_die(fit, dying):
    def kill(client, done, *_):
        pids = list(client.run(os.getpid).values())
        if done == 2:
            for pid in {"none": [], "one": pids[:1], "all": pids}[dying]:
                os.kill(pid, signal.SIGKILL)

    with spread_over(workers=2) as cluster:
        found = fit(spread=cluster, on_pass=partial(kill, cluster.args[0]))
    for here, there in zip(fit(), found, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-5)


def test_training_on_two_workers_is_that_of_one_process_and_leaves_no_trace(small_tables, tmp_path):
    recipe = replace(TINY, members=1)
    one, two = (train(small_tables, recipe, 0, tmp_path / str(w), workers=w) for w in (1, 2))
    assert one.metrics["test"]["rmse"] == pytest.approx(two.metrics["test"]["rmse"], abs=1e-5)
    assert one.config == two.config


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"workers": 0}, "got workers 0; expected 1 or more"),
        ({"scheduler": "tcp://localhost:1"}, "no Dask scheduler answers at tcp://localhost:1"),
        ({"scheduler": "nonsense://"}, "no Dask scheduler answers at nonsense://"),
    ],
)
def test_cluster_that_cannot_be_had_is_refused_before_anything_is_written(
    small_tables, tmp_path, how, said, monkeypatch
):
    monkeypatch.setattr("movierec.cluster.TIMEOUT", "1s")
    with pytest.raises(InputError, match=said):
        train(small_tables, TINY, 0, tmp_path / "run", **how)
    assert not (tmp_path / "run").exists()


def test_several_workers_need_the_extra_batch(small_tables, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"movierec\[batch\]"):
        train(small_tables, TINY, 0, tmp_path / "run", workers=2)


def test_a_network_is_not_trained_by_a_cluster(small_tables, tmp_path):
    with pytest.raises(InputError, match=r"several workers \(--workers, --scheduler\).*best"):
        train(small_tables, "fast", 0, tmp_path / "run", workers=2)
