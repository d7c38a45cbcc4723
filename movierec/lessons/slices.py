"""Where a method is right and where it is off: errors by groups of rows, order, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import GENDERS
from movierec.data.tables import AGE_BAND_NAMES
from movierec.runs import Run
from movierec.vectors import Rows

BANDS = {"0": 0, "1–10": 10, "11–50": 50, "51–200": 200, "201–1000": 1000, "over 1000": np.inf}


def row_groups(run: Run, train: Rows, held_out: Rows) -> pd.DataFrame:
    """By what the held-out rows can be told apart.

    Returns:
        A row a held-out row: `rating` (stars given), `user_ratings` and `film_ratings` (bands of
        the number of training ratings), `gender` and `age` (band) where the data has them, and
        `genre` (a list of names; `groups["genre"].explode()` puts a row into each of its genres).
    """
    features = run.features
    user, film = held_out.user_idx, held_out.movie_idx
    groups: dict[str, Any] = {"rating": held_out.rating}
    ends = {"user_ratings": (user, train.user_idx), "film_ratings": (film, train.movie_idx)}
    for name, (idx, trained) in ends.items():
        counts = np.bincount(trained, minlength=idx.max() + 1)[idx]
        groups[name] = pd.cut(counts, [-1.0, *BANDS.values()], labels=list(BANDS))
    if fields := features.user_fields:
        groups["gender"] = pd.Categorical.from_codes(fields["gender"][user], GENDERS)
        groups["age"] = pd.Categorical.from_codes(fields["age"][user], AGE_BAND_NAMES, ordered=True)
    names = [[features.genres[g] for g in row if g] for row in features.movie_fields["genres"]]
    groups["genre"] = [names[movie] for movie in film]
    return pd.DataFrame(groups)


def slices(
    group: pd.Series,
    rating: npt.ArrayLike,
    predicted: Mapping[str, npt.ArrayLike],
    statistic: Literal["rmse", "mae", "bias"] = "rmse",
) -> pd.DataFrame:
    """The error of predicted ratings by groups of rows, for several methods.

    Args:
        group: the group of each row, indexed by the row's position; a row may stand in several
            groups, or in none.
        rating, predicted: (n,) stars given, and predicted by each method.
        statistic: root mean squared error, mean absolute error, or mean of predicted minus given.

    Returns:
        By group: `rows`, then the statistic (stars) of each method.
    """
    group = group.dropna()
    error = pd.DataFrame(dict(predicted)).sub(np.asarray(rating), axis=0)
    error = {"rmse": error**2, "mae": error.abs(), "bias": error}[statistic]
    by_place = error.take(group.index).reset_index(drop=True)
    grouped = by_place.groupby(group.reset_index(drop=True), observed=True)
    means = grouped.mean() ** 0.5 if statistic == "rmse" else grouped.mean()
    means.insert(0, "rows", grouped.size())
    return means


def preferred(
    user_idx: npt.ArrayLike, rating: npt.ArrayLike, predicted: Mapping[str, npt.ArrayLike]
) -> pd.Series:
    """Of two films that a user rated differently, which one did they like better?

    Args:
        user_idx: (n,) whose row it is; the pairs are rows of a user that follow each other.
        rating: (n,) stars given.
        predicted: (n,) by method, what it orders films by.

    Returns:
        By method: the share of pairs, 0 to 1, that it puts in the right order; a tie counts half.
        NaN where there is no pair.
    """
    frame = pd.DataFrame(dict(predicted))
    order = np.argsort(np.asarray(user_idx), kind="stable")
    user, given = np.asarray(user_idx)[order], np.asarray(rating)[order]
    steps = np.sign(np.diff(frame.to_numpy(dtype=np.float64)[order], axis=0))
    right = np.sign(np.diff(given))
    asked = (user[1:] == user[:-1]) & (right != 0)
    agreed = (steps == right[:, None]) + 0.5 * (steps == 0)
    return pd.DataFrame(agreed[asked], columns=frame.columns).mean()


def calibration(
    given: npt.ArrayLike, predicted: npt.ArrayLike, width: float = 0.25, parts: int = 0
) -> pd.DataFrame:
    """The mean of what was given where about so much was predicted.

    Args:
        given, predicted: (n,) such as stars.
        width: of a bin of predictions.
        parts: if above 0, so many bins of equally many rows, in place of bins of one width.

    Returns:
        A row a bin that has rows, ascending: `predicted` and `given` (means), `rows`, and `error`,
        the standard error of `given` (missing for a single row).

    Reference:
        DeGroot and Fienberg (1983), The comparison and evaluation of forecasters.
    """
    frame = pd.DataFrame({"predicted": predicted, "given": given}, dtype=np.float64)
    bins = np.floor(frame["predicted"] / width)
    if parts:
        bins = (frame["predicted"].rank(method="first") - 1) * parts // len(frame)
    grouped = frame.groupby(bins)
    found = grouped["given"].agg(given="mean", rows="size", error="sem")
    found.insert(0, "predicted", grouped["predicted"].mean())
    return found.reset_index(drop=True)


def errors_by(
    group: npt.ArrayLike, rating: npt.ArrayLike, predicted: Mapping[str, npt.ArrayLike]
) -> dict[str, pd.DataFrame]:
    """Errors summed by group, in the form that `metrics.intervals` and `difference` draw from.

    Args:
        group: (n,) the group of each row, such as its film.
        rating, predicted: as in `slices`.

    Returns:
        By method a row a group: `rows`, and the sums `squared_error` and `absolute_error`.
    """
    found = {}
    for name, guess in predicted.items():
        error = np.subtract(guess, rating, dtype=np.float64)
        sums = {"rows": 1.0, "squared_error": error**2, "absolute_error": np.abs(error)}
        found[name] = pd.DataFrame(sums).groupby(np.asarray(group)).sum()
    return found
