"""What a training gives, whatever its recipe."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd


class Trained(NamedTuple):
    """What a training hands over to be written.

    Attributes:
        weights: float32 arrays by name: all that was learned.
        vectors: `user` (user rows, d) and `movie` (movie rows, d), whose dot products are the
            predicted ratings; `watching_` with each name of `watching.Watching`, if there is one.
        history: a row an epoch, as `training.Fit.history`.
        best_epoch: the epoch whose state was kept.
        seconds: `build`, `compile`, `train`.
    """

    weights: dict[str, npt.NDArray[np.float32]]
    vectors: dict[str, npt.NDArray[np.float32]]
    history: pd.DataFrame
    best_epoch: int
    seconds: dict[str, float]
