"""Which ratings are trained on, which choose the best state, and which are held out for the test.

A split is two arrays of row numbers of the ratings table. Test rows are never used to choose
anything: validation rows are cut from the training rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.errors import InputError

HOLDOUTS = ("random", "origin", "temporal", "none")
RowNumbers = npt.NDArray[np.int64]


def split(
    ratings: pd.DataFrame, holdout: str = "random", fraction: float = 0.1, seed: int = 0
) -> tuple[RowNumbers, RowNumbers]:
    """Cut the ratings into training and test rows.

    Args:
        ratings: the ratings table, in file order.
        holdout: "random": the first `fraction` of `default_rng(seed).permutation`;
            "origin": exactly the rows that scikit-learn's `train_test_split(rows, test_size=0.2,
            random_state=0)` gives, as in the notebook that the network comes from (`fraction` and
            `seed` are not asked); "temporal": the latest `fraction` over all users, ties in file
            order; "none": no test rows.
        fraction: part of the rows that is held out, above 0 and below 1.
        seed: seed of the random holdout.

    Returns:
        Row numbers of training and test, int64.

    Raises:
        InputError: an unknown holdout, a fraction out of range, or one that leaves a part empty.
    """
    n = len(ratings)
    if holdout not in HOLDOUTS:
        raise InputError(f"unknown holdout {holdout!r}; expected one of {', '.join(HOLDOUTS)}")
    if seed < 0:
        raise InputError(f"got holdout seed {seed}; expected 0 or more")
    if holdout == "none":
        return np.arange(n), np.empty(0, dtype=np.int64)
    if holdout == "origin":
        fraction = 0.2
    if not 0 < fraction < 1:
        raise InputError(f"got a holdout fraction of {fraction}; expected one between 0 and 1")
    if holdout == "origin":
        tested = int(np.ceil(fraction * n))
        order = np.random.RandomState(0).permutation(n)
    elif holdout == "random":
        tested = int(fraction * n)
        order = np.random.default_rng(seed).permutation(n)
    else:
        tested = int(fraction * n)
        order = np.argsort(ratings["timestamp"].to_numpy(), kind="stable")[::-1]
    if not 0 < tested < n:
        raise InputError(
            f"a holdout fraction of {fraction} of {n} ratings leaves {tested} test rows; expected "
            "at least one row on each side"
        )
    return order[tested:], order[:tested]


def validation_split(
    rows: RowNumbers, fraction: float = 0.05, seed: int = 0
) -> tuple[RowNumbers, RowNumbers]:
    """Cut a random validation part from the training rows.

    Args:
        rows: row numbers of the training part.
        fraction: part that is cut off, from 0 (none) to below 1.
        seed: seed of the draw.

    Returns:
        Row numbers that remain for training, and those of the validation part.

    Raises:
        InputError: a fraction out of range, or one that leaves nothing to train on.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"got a validation fraction of {fraction}; expected 0 to below 1")
    if seed < 0:
        raise InputError(f"got seed {seed}; expected 0 or more")
    cut = int(fraction * len(rows))
    if cut == len(rows):
        raise InputError(f"{len(rows)} rows are too few to train on; give more ratings")
    order = np.random.default_rng(seed).permutation(rows)
    return order[cut:], order[:cut]
