"""What the tables say of people, films and habits, before any model: the figures of `01_data`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from movierec.datasets import AGE_BAND_NAMES, AGE_BANDS, Tables
from movierec.features import GENDERS, split_genres

PAUSE = 3600  # seconds without a rating that end a sitting


def user_groups(tables: Tables) -> dict[str, pd.Series]:
    """What users are told apart by.

    Args:
        tables: any data set.

    Returns:
        Names by `user_id` (categories in their order, also those that nobody is of): `gender`,
        `age band`, `occupation`. Empty where the data says nothing of its users.
    """
    if not tables.has_demographics:
        return {}
    users = tables.users.set_index("user_id")
    band = np.maximum(np.searchsorted(AGE_BANDS, users["age"], side="right") - 1, 0)
    codes = {
        "gender": (users["gender"].map(GENDERS.index), GENDERS),
        "age band": (band, AGE_BAND_NAMES),
        "occupation": (users["occupation"], tables.occupations),
    }
    return {
        name: pd.Series(pd.Categorical.from_codes(code, names, ordered=True), users.index)
        for name, (code, names) in codes.items()
    }


def genre_flags(movies: pd.DataFrame) -> pd.DataFrame:
    """Which film has which genre.

    Args:
        movies: with `movie_id` and `genres`.

    Returns:
        0 or 1 by `movie_id`, a column a genre in the order of the alphabet.
    """
    listed = movies.set_index("movie_id")["genres"].map(split_genres)
    return listed.str.join("|").str.get_dummies().astype(np.int64)


def genres_together(flags: pd.DataFrame) -> pd.DataFrame:
    """Of the films of the row's genre, the part that also has the column's; 0 on the diagonal.

    Args:
        flags: from `genre_flags`.
    """
    both = flags.T @ flags
    share = both.div(np.diag(both), axis=0)
    return share.mask(np.eye(len(share), dtype=bool), 0.0)


def genre_lift(ratings: pd.DataFrame, flags: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """How much more, or less, of their ratings groups of people give to a genre than all people do.

    Args:
        ratings: with `user_id` and `movie_id`.
        flags: from `genre_flags`.
        group: of each user, by `user_id`, as in `user_groups`.

    Returns:
        Genres that were rated, by groups that rated: the group's share of ratings that go to the
        genre divided by that of all, minus 1. So 0.5 is half as much again.
    """
    by_user = pd.crosstab(ratings["movie_id"], ratings["user_id"].map(group).rename("group"))
    counts = flags.reindex(by_user.index).T @ by_user  # (genres, groups)
    overall = counts.sum(axis=1) / len(ratings)
    share = counts / by_user.sum()
    return share.div(overall, axis=0).sub(1).loc[overall > 0]


def sittings(ratings: pd.DataFrame, pause: int = PAUSE) -> pd.Series:
    """How often each user sat down to rate.

    Args:
        ratings: with `user_id` and `timestamp` (Unix seconds).
        pause: seconds without a rating that end a sitting.

    Returns:
        Sittings by `user_id`, 1 or more.
    """
    ordered = ratings[["user_id", "timestamp"]].sort_values(["user_id", "timestamp"])
    gap = ordered.groupby("user_id")["timestamp"].diff()
    return (gap.isna() | (gap > pause)).groupby(ordered["user_id"]).sum()
