"""Which ratings are trained on, which choose the best state, and which are held out for the test.

A split is two arrays of row numbers of the ratings table. Test rows are never used to choose
anything: validation rows are cut from the training rows.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.errors import InputError

HOLDOUTS = ("random", "origin", "temporal", "last", "none")
RowNumbers = npt.NDArray[np.int64]


def split(
    ratings: pd.DataFrame,
    holdout: str | npt.ArrayLike = "random",
    fraction: float = 0.1,
    seed: int = 0,
) -> tuple[RowNumbers, RowNumbers]:
    """Cut the ratings into training and test rows.

    Args:
        ratings: the ratings table, in file order.
        holdout: "random": the first `fraction` of `default_rng(seed).permutation`; "origin": the
            rows of scikit-learn's `train_test_split(rows, test_size=0.2, random_state=0)`, as in
            the notebook that the network comes from; "temporal": the latest `fraction` over all
            users, ties in file order; "last": each user's latest rating, likewise, but none of a
            user who has one alone; "none": no test rows; or the numbers of the rows, from 0.
        fraction: of the rows, above 0 and below 1; asked for "random" and "temporal" only.
        seed: of the random holdout.

    Returns:
        Row numbers of training and test, int64.

    Raises:
        InputError: an unknown holdout, rows that are not there or stand twice, a fraction out of
            range, or a part left empty.
    """
    n = len(ratings)
    if not isinstance(holdout, str):
        return _given(n, holdout)
    if holdout not in HOLDOUTS:
        raise InputError(
            f"unknown holdout {holdout!r}; expected one of {', '.join(HOLDOUTS)}, or row numbers"
        )
    if seed < 0:
        raise InputError(f"got holdout seed {seed}; expected 0 or more")
    if holdout == "none":
        return np.arange(n), np.empty(0, dtype=np.int64)
    if holdout == "last":
        return _last(ratings)
    if holdout == "origin":
        fraction = 0.2
    if not 0 < fraction < 1:
        raise InputError(f"got a holdout fraction of {fraction}; expected one between 0 and 1")
    tested = int(fraction * n)
    if holdout == "origin":
        tested, order = int(np.ceil(fraction * n)), np.random.RandomState(0).permutation(n)
    elif holdout == "random":
        order = np.random.default_rng(seed).permutation(n)
    else:
        order = np.argsort(ratings["timestamp"].to_numpy(), kind="stable")[::-1]
    if not 0 < tested < n:
        raise InputError(
            f"a holdout fraction of {fraction} of {n} ratings leaves {tested} test rows; expected "
            "at least one row on each side"
        )
    return order[tested:], order[:tested]


def holdout_record(
    holdout: str | npt.ArrayLike, seed: int, test: RowNumbers, rows: int
) -> dict[str, Any]:
    """What a run's settings say of its test rows, of so many; `holdout` and `seed` as in `split`.

    Returns:
        `holdout` ("given" for given rows), `holdout_fraction` as it came to be, `holdout_seed` of
        a random holdout, and `holdout_sha256` of given rows: of their numbers in ascending order,
        int64, little-endian.
    """
    given = not isinstance(holdout, str)
    numbers = np.sort(test).astype("<i8")
    return {
        "holdout": "given" if given else holdout,
        "holdout_fraction": len(test) / rows,
        "holdout_seed": seed if isinstance(holdout, str) and holdout == "random" else None,
        "holdout_sha256": hashlib.sha256(numbers.data).hexdigest() if given else None,
    }


def _given(n: int, holdout: npt.ArrayLike) -> tuple[RowNumbers, RowNumbers]:
    test = np.asarray(holdout)
    if test.ndim != 1 or test.dtype.kind not in "iu":
        raise InputError(
            f"got rows to hold out of type {test.dtype} and shape {test.shape}; expected a list of "
            "whole numbers"
        )
    if stray := [row for row in (test.min(initial=0), test.max(initial=0)) if not 0 <= row < n]:
        raise InputError(f"got row {stray[0]} to hold out; expected numbers from 0 to {n - 1}")
    held = np.bincount(test, minlength=n)
    if held.max() > 1:
        raise InputError(f"row {held.argmax()} is to be held out twice; expected each row once")
    if not 0 < len(test) < n:
        raise InputError(
            f"got {len(test)} of {n} rows to hold out; expected at least one row on each side"
        )
    return np.flatnonzero(held == 0), test.astype(np.int64)


def _last(ratings: pd.DataFrame) -> tuple[RowNumbers, RowNumbers]:
    user, timestamp = ratings["user_id"].to_numpy(), ratings["timestamp"].to_numpy()
    order = np.lexsort((timestamp, user))  # stable, so that ties stay in file order
    ordered = user[order]
    follows = np.append(ordered[1:] == ordered[:-1], False)  # another one of the same user
    test = order[~follows & np.insert(follows[:-1], 0, False)]  # the last of several
    if not len(test):
        raise InputError("no user has two ratings, so none can be held out; choose --holdout none")
    return np.setdiff1d(order, test), test


def validation_split(
    rows: RowNumbers, fraction: float = 0.05, seed: int = 0
) -> tuple[RowNumbers, RowNumbers]:
    """Cut a random part, from 0 (none) to below 1, from the training rows for validation.

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
