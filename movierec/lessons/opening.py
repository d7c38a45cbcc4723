"""The run that the notebooks are about, and another beside it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from movierec.data.datasets import load_dataset
from movierec.paths import reports_dir
from movierec.runs import Run, is_run, load_run
from movierec.training import train


def open_run(
    data: str, path: str = "", run_dir: str = "", recipe: str = "fast", seed: int = 0
) -> Run:
    """The run of the notebooks; trained first where there is none yet.

    Args:
        data, path: what to train on then; see `load_dataset`.
        run_dir: the run folder; empty: `reports/DATA/model`.
        recipe, seed: how to train then.

    Raises:
        InputError: as `load_run`, `load_dataset` and `train`.
    """
    folder = Path(run_dir) if run_dir else reports_dir() / data / "model"
    if is_run(folder):
        return load_run(folder)
    return train(load_dataset(data, path or None), recipe, seed, folder)


def train_beside(
    run: Run, recipe: str = "best", run_dir: str | os.PathLike[str] | None = None
) -> Run:
    """Another recipe on the data of a run, with the same rows held out, to be compared with it.

    It is trained where it is not there yet, or where what is there has another recipe, other data
    or other held-out rows.

    Args:
        run: of any recipe.
        recipe: the other's name.
        run_dir: where the other run is or comes to be. None: beside the run, in a folder of the
            recipe's name for a run in `model`, as the notebooks have it, else `NAME-RECIPE`.

    Raises:
        InputError: as `train`.
    """
    name = recipe if run.path.name == "model" else f"{run.path.name}-{recipe}"
    path = Path(run_dir) if run_dir else run.path.with_name(name)
    held_out = run.part == "test"
    if is_run(path):
        there, names = load_run(path), ("users", "movies", "ratings")
        same = [getattr(there.tables, name).equals(getattr(run.tables, name)) for name in names]
        same += [there.config["recipe"] == recipe, np.array_equal(there.part == "test", held_out)]
        if all(same):
            return there
    holdout = np.flatnonzero(held_out) if held_out.any() else "none"
    return train(run.tables, recipe, run.config["seed"], path, holdout=holdout)
