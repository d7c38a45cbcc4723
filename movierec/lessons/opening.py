"""The run that the notebooks are about."""

from __future__ import annotations

from pathlib import Path

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
