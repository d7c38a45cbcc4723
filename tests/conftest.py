"""What several test files share: a small simulated world, one training of it, the real data."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # each has a core: threads that get none wait for others
    of_numpy = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    of_tensorflow = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    for name in of_numpy + of_tensorflow:
        os.environ.setdefault(name, "1")  # before they are loaded

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from worlds import MeansRecipe, real_folder, write_drawn_run

from movierec.data.datasets import load_dataset
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.logs import LOG_VARIABLE
from movierec.models.best import BestRecipe
from movierec.posters.metadata import KEY_VARIABLE
from movierec.runs import Run
from movierec.sample.simulate import Simulation, simulate

os.environ.pop(KEY_VARIABLE, None)  # no test asks a real provider with somebody's key
os.environ.pop(LOG_VARIABLE, None)  # commands are quiet, as tests of what they print expect


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files marked `long` come first.

    With `make test` each worker takes file after file: begun last, a long one would keep one worker
    busy while the other has nothing left to do.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def small_world() -> Simulation:
    """A few hundred people and films whose truth is known."""
    return simulate(n_users=300, n_movies=150, n_ratings=12_000, seed=3)


@pytest.fixture(scope="session")
def small_tables(small_world: Simulation) -> Tables:
    return small_world.tables


@pytest.fixture(scope="session")
def small_features(small_tables: Tables) -> Features:
    return Features.fit(small_tables)


@pytest.fixture(scope="session")
def small_run(small_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One short training of the small world, with validation and test rows. Only to be read."""
    from movierec.training import train  # here: most tests need no TensorFlow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        folder = tmp_path_factory.mktemp("runs") / "small"
        return train(small_tables, recipe="fast", epochs=3, batch_size=512, run_dir=folder)


@pytest.fixture(scope="session")
def small_best(small_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A small training of recipe `best` on the small world. Only to be read."""
    from movierec.training import train

    recipe = BestRecipe("best", factors=6, passes=8, members=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOVIEREC_PROGRESS", "off")
        folder = tmp_path_factory.mktemp("runs") / "best"
        return train(small_tables, recipe, run_dir=folder)


@pytest.fixture(scope="session")
def small_own(small_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small world trained with a recipe of one's own. Only to be read."""
    from movierec.training import train

    return train(small_tables, MeansRecipe("means"), run_dir=tmp_path_factory.mktemp("own") / "run")


@pytest.fixture(scope="session")
def drawn_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose vectors are drawn. Only to be read."""
    return write_drawn_run(tmp_path_factory.mktemp("runs") / "drawn")


@pytest.fixture(scope="session")
def plain_tables() -> Tables:
    """Four people and five films without demographics, ids with gaps; eight ratings."""
    ratings = [(1, 2), (1, 3), (2, 3), (2, 5), (4, 2), (4, 5), (4, 6), (6, 8)]
    return Tables(
        users=pd.DataFrame({"user_id": [1, 2, 4, 6]}),
        movies=pd.DataFrame(
            {
                "movie_id": [2, 3, 5, 6, 8],
                "title": ["Red Hill (1950)", "Red Sea", "(1960)", "A B C (1999)", "Sea (2001)"],
                "genres": ["Drama", "Comedy|Drama", "(no genres listed)", "War", "Comedy"],
                "year": pd.array([1950, None, 1960, 1999, 2001], dtype="Int64"),
            }
        ),
        ratings=pd.DataFrame(ratings, columns=["user_id", "movie_id"]).assign(
            rating=np.arange(1, 9, dtype=np.float32) / 2, timestamp=range(100, 108)
        ),
        name="plain",
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a quarter MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def real_1m() -> Tables:
    return load_dataset("ml-1m", real_folder("ml-1m", "MOVIEREC_TEST_ML1M"))


@pytest.fixture(scope="session")
def real_folder_100k() -> Path:
    return real_folder("ml-100k", "MOVIEREC_TEST_ML100K")


@pytest.fixture(scope="session")
def real_100k(real_folder_100k: Path) -> Tables:
    return load_dataset("ml-100k", real_folder_100k)
