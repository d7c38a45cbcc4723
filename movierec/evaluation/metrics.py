"""Metrics and their intervals: arrays in, numbers out.

Lists of films are measured user by user. A metric over all users is a mean of these values, an
interval comes from drawing users, and two methods are compared on the same users.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.errors import InputError
from movierec.vectors import LIKED, Indices, Rows

K = 10
ENDS = 0.025, 0.975  # of an interval: it holds the true value in 95 of 100 cases
RESAMPLES = 1000
INTERVAL = 0.8  # share of the ratings that certainty is measured by, and how many standard
REACH = NormalDist().inv_cdf(0.5 + INTERVAL / 2)  # deviations it reaches to both sides
BINS = 10  # of chances
BLOCK_SCORES = 4_000_000  # scores of users by films held at once


def rating_metrics(rating: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Errors of predicted ratings: `mse` (stars squared), `rmse` and `mae` (stars).

    Both are (n,) stars; none, another length, or a number that is not finite is an `InputError`.
    """
    given, guess = np.asarray(rating, np.float64), np.asarray(predicted, np.float64)
    if not given.size or given.shape != guess.shape:
        raise InputError(
            f"got {given.size} ratings and {guess.size} predictions; expected as many of each, and "
            "at least one"
        )
    if faults := np.count_nonzero(~np.isfinite([given, guess]).all(axis=0)):
        raise InputError(
            f"{faults} of {given.size} ratings or predictions are NaN or infinite; expected stars"
        )
    error = guess - given
    mse = float(np.mean(error**2))
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.mean(np.abs(error)))}


def certainty_metrics(
    rating: npt.ArrayLike, predicted: npt.ArrayLike, std: npt.ArrayLike, chance: npt.ArrayLike
) -> dict[str, float]:
    """Whether predictions are as sure as they say, of (n,) ratings.

    Args:
        rating, predicted, std: stars, and the standard deviations of the first about the second.
        chance: of `LIKED` stars or more, 0 to 1.

    Returns:
        `coverage`, the share of ratings in their interval of `INTERVAL`, were they normal;
        `surest` and `least_sure`, the RMSE in the quarters of lowest and of highest standard
        deviation; `chance_error`, by how much the chance is off, in the mean over `BINS` bins of
        equally many ratings.

    Reference:
        Naeini, Cooper and Hauskrecht (2015), Obtaining Well Calibrated Probabilities Using Bayesian
        Binning, section 4 (expected calibration error).
    """
    given, guess, spread, likely = (
        np.asarray(each, np.float64) for each in (rating, predicted, std, chance)
    )
    error = np.abs(given - guess)
    square = [np.mean(error[part] ** 2) for part in np.array_split(np.argsort(spread), 4)]
    off = [
        len(part) * abs(np.mean(likely[part]) - np.mean(given[part] >= LIKED))
        for part in np.array_split(np.argsort(likely), min(BINS, len(likely)))
    ]
    return {
        "coverage": float(np.mean(error <= REACH * spread)),
        "surest": float(square[0] ** 0.5),
        "least_sure": float(square[-1] ** 0.5),
        "chance_error": float(sum(off) / len(given)),
    }


def list_metrics(lists: npt.NDArray[np.int64], users: Indices, held_out: Rows) -> pd.DataFrame:
    """How well each user's list meets what they went on to watch and like.

    A held-out film of `LIKED` stars or more is relevant; every user must have one.

    Args:
        lists: (users, k) movie rows, best first, -1 where there are fewer.
        users: (users,) user rows, ascending.
        held_out: encoded held-out ratings.

    Returns:
        A row a user, all from 0 to 1: `ndcg@k` (binary gain, ideal list cut at k), `recall@k`
        (hits divided by the smaller of k and the relevant films), `precision@k` (hits divided by
        k), `map@k` (average precision: the mean of the precision at each hit, over the smaller of
        k and the relevant films), `mrr@k` (one over the rank of the first hit, 0 without one), and
        `watched@k` (share of the list that the user rated in the held-out rows at all).

    Reference:
        Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques. Manning,
        Raghavan and Schütze (2008), Introduction to Information Retrieval, chapter 8.
    """
    k = lists.shape[1]
    rows = 1 + max(int(each.max(initial=0)) for each in (lists, held_out.movie_idx))
    relevant = held_out.rating >= LIKED
    pairs = held_out.user_idx.astype(np.int64) * rows + held_out.movie_idx
    shown = np.where(lists >= 0, users[:, None].astype(np.int64) * rows + lists, -1)
    hits = np.isin(shown, pairs[relevant])  # (users, k)
    counts = np.bincount(np.searchsorted(users, held_out.user_idx[relevant]), minlength=len(users))
    ideal = np.minimum(counts, k)
    rank = np.arange(1, k + 1)
    gain = 1 / np.log2(rank + 1)
    metrics = {
        "ndcg": hits @ gain / np.cumsum(gain)[ideal - 1],
        "recall": hits.sum(axis=1) / ideal,
        "precision": hits.mean(axis=1),
        "map": (hits * np.cumsum(hits, axis=1) / rank).sum(axis=1) / ideal,
        "mrr": (hits / rank).max(axis=1),
        "watched": np.isin(shown, pairs).mean(axis=1),
    }
    index = pd.Index(users, name="user_idx")
    return pd.DataFrame({f"{name}@{k}": value for name, value in metrics.items()}, index=index)


def list_traits(
    lists: npt.NDArray[np.int64], users: Indices, train: Rows, genres: npt.NDArray[np.integer]
) -> pd.DataFrame:
    """What each user's list is like, whatever they think of it.

    Args:
        lists, users: as in `list_metrics`.
        train: encoded training ratings.
        genres: (movie rows, slots) genres of each film, 0 for none.

    Returns:
        A row a user, means over the list: `novelty@k` (self-information of a film in bits, log2 of
        training users over those who rated it; a film without ratings counts as rated once),
        `diversity@k` (over pairs of films that have genres, 1 minus the Jaccard similarity of
        these, from 0 to 1) and `popularity@k` (share of the rated films with fewer training
        ratings, ties half, from 0 to 1). Missing where a list is too short for it.

    Reference:
        Zhou et al. (2010), Solving the apparent diversity-accuracy dilemma of recommender systems.
        Ziegler et al. (2005), Improving recommendation lists through topic diversification.
    """
    k = lists.shape[1]
    raters = np.bincount(train.movie_idx, minlength=len(genres))
    information = np.log2(len(np.unique(train.user_idx)) / np.maximum(raters, 1))
    rated = np.sort(raters[raters > 0])
    fewer = np.searchsorted(rated, raters) + np.searchsorted(rated, raters, side="right")
    percentile = fewer / 2 / len(rated)
    has = np.zeros((len(genres), genres.max() + 1), dtype=np.float32)
    np.put_along_axis(has, genres, 1, axis=1)
    has[:, 0] = 0  # no genre
    shown = lists >= 0
    diversity = np.empty(len(lists))
    step = max(BLOCK_SCORES // (k * max(k, has.shape[1])), 1)
    for a in range(0, len(lists), step):
        block = has[lists[a : a + step]]  # (block, k, genres)
        both = block @ block.transpose(0, 2, 1)  # (block, k, k) genres in common
        size = block.sum(axis=2)
        either = size[:, :, None] + size[:, None, :] - both
        known = shown[a : a + step] & (size > 0)
        pair = known[:, :, None] & known[:, None, :] & ~np.eye(k, dtype=bool)
        diversity[a : a + step] = _mean_where(1 - both / np.maximum(either, 1), pair)
    traits = {
        f"novelty@{k}": _mean_where(information[lists], shown),
        f"diversity@{k}": diversity,
        f"popularity@{k}": _mean_where(percentile[lists], shown),
    }
    return pd.DataFrame(traits, index=pd.Index(users, name="user_idx"))


def _mean_where(values: npt.NDArray, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Means of (n, ...) over the entries that count, (n,); NaN where none does."""
    kept = np.ma.array(values, np.float64, mask=~where)
    return kept.mean(axis=tuple(range(1, where.ndim))).filled(np.nan)


def intervals(by_user: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Each metric over all users, with a percentile bootstrap interval.

    Users are drawn with replacement, each with all their rows, since the rows of a user are not
    independent.

    Args:
        by_user: as `Measured.by_user`.
        seed: of `RESAMPLES` draws of as many users as there are.

    Returns:
        By metric (`mse`, `rmse`, `mae` and the columns of the lists): `value`, `low`, `high`.

    Reference:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    value, draws = _bootstrap(by_user, seed)
    low, high = map(draws.quantile, ENDS)
    return pd.DataFrame({"value": value, "low": low, "high": high})


def difference(first: pd.DataFrame, second: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Each metric of a first method minus that of a second, by a paired bootstrap.

    The same users are drawn for both, so that what makes a user easy or hard for both cancels out.
    Arguments are as in `intervals`; methods that were measured on other users are an `InputError`.

    Returns:
        By metric that both have: `difference`, `low`, `high`, and `p`, the two-sided p-value
        (twice the smaller share of draws on one side of 0).
    """
    if not first.index.equals(second.index):
        raise InputError("the methods were measured on different users; expected the same rows")
    (mine, draws), (theirs, others) = (_bootstrap(each, seed) for each in (first, second))
    both = [name for name in mine.index if name in theirs.index]
    draws = draws[both] - others[both]
    side = np.minimum((draws <= 0).sum(), (draws >= 0).sum())
    low, high = map(draws.quantile, ENDS)
    p = np.minimum(2 * (side + 1) / (RESAMPLES + 1), 1)  # so many draws cannot tell a p-value of 0
    return pd.DataFrame({"difference": (mine - theirs)[both], "low": low, "high": high, "p": p})


def _bootstrap(by_user: pd.DataFrame, seed: int) -> tuple[pd.Series, pd.DataFrame]:
    """Metrics of all users, and of each draw of users; every metric is a ratio of two sums."""
    top, bottom = {}, {}
    if "squared_error" in by_user:
        top = {"mse": by_user["squared_error"], "mae": by_user["absolute_error"]}
        bottom = dict.fromkeys(top, by_user["rows"])
    for name in by_user.columns.difference(["rows", "squared_error", "absolute_error"], sort=False):
        top[name], bottom[name] = by_user[name].fillna(0), by_user[name].notna()
    sums = np.column_stack([*top.values(), *bottom.values()]).astype(np.float64)
    n, m = len(by_user), len(top)
    rng = np.random.default_rng(seed)
    drawn = np.empty((1 + RESAMPLES, 2 * m))
    drawn[0] = sums.sum(axis=0)
    for row in range(1, 1 + RESAMPLES):
        drawn[row] = np.bincount(rng.integers(0, n, n), minlength=n) @ sums
    count = np.where(drawn[:, m:] > 0, drawn[:, m:], np.nan)  # a draw may hold no user with a list
    values = pd.DataFrame(drawn[:, :m] / count, columns=list(top))
    if "mse" in top:
        values.insert(1, "rmse", values["mse"] ** 0.5)
    return values.iloc[0], values.iloc[1:]
