"""What the tables say of people, films and habits, and vectors of their likeness: for reading."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import GENDERS, Features, split_genres
from movierec.data.splits import RowNumbers
from movierec.data.tables import AGE_BAND_NAMES, AGE_BANDS, Tables
from movierec.vectors import top_k, unit_rows

PAUSE = 3600


def user_groups(tables: Tables) -> dict[str, pd.Series]:
    """What users are told apart by.

    Returns:
        Names by `user_id` (categories in their order, also those that nobody is of): `gender`,
        `age band`, `occupation`; where the data says nothing of its users, all are `unknown`.
    """
    users = tables.users.set_index("user_id")
    if not tables.has_demographics:
        nobody = pd.Categorical(["unknown"] * len(users), ordered=True)
        return {"what is known": pd.Series(nobody, users.index)}
    jobs = pd.Categorical.from_codes(users["occupation"], tables.occupations, ordered=True)
    bands = [0, *AGE_BANDS[1:], np.inf]
    return {
        "gender": users["gender"].astype(pd.CategoricalDtype(GENDERS, ordered=True)),
        "age band": pd.cut(users["age"], bands, right=False, labels=list(AGE_BAND_NAMES)),
        "occupation": pd.Series(jobs, users.index),
    }


def genre_flags(movies: pd.DataFrame) -> pd.DataFrame:
    """Which film has which genre: 0 or 1 by `movie_id`, a column a genre, in alphabetical order.

    Where no film has one, the only column is `no genre`.
    """
    listed = movies.set_index("movie_id")["genres"].map(split_genres)
    flags = listed.str.join("|").str.get_dummies().astype(np.int64)
    return flags if flags.shape[1] else flags.assign(**{"no genre": 1})


def genres_together(flags: pd.DataFrame) -> pd.DataFrame:
    """Of the films of the row's genre, the part that also has the column's; 0 on the diagonal."""
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


def sittings(ratings: pd.DataFrame) -> pd.Series:
    """How often each user sat down to rate, by `user_id`; `PAUSE` seconds without one end it."""
    ordered = ratings[["user_id", "timestamp"]].sort_values(["user_id", "timestamp"])
    gap = ordered.groupby("user_id")["timestamp"].diff()
    return (gap.isna() | (gap > PAUSE)).groupby(ordered["user_id"]).sum()


def part_table(
    ratings: pd.DataFrame, parts: dict[str, tuple[RowNumbers, RowNumbers]]
) -> pd.DataFrame:
    """What the parts of a split hold.

    Args:
        ratings: all of them.
        parts: by name a part's rows, and the rows that are known when it is predicted.

    Returns:
        By name: `ratings`, `mean rating` (stars), `users`, `films`, and the shares of its ratings
        that are of users and of films without a row among those known.
    """
    told, keys = {}, {"users": "user_id", "films": "movie_id"}
    for name, (own, known) in parts.items():
        part, before = ratings.iloc[own], ratings.iloc[known]
        row = {"ratings": len(part), "mean rating": part["rating"].mean()}
        row |= {what: part[key].nunique() for what, key in keys.items()}
        for what, key in keys.items():
            row[f"rows of unknown {what}"] = 1 - part[key].isin(before[key]).mean()
        told[name] = row
    return pd.DataFrame(told).T


def dense_corner(tables: Tables, users: int = 250, films: int = 250) -> Tables:
    """The ratings that the most active people gave to the most rated films: for experiments.

    The most active rated most of these films; their ratings stay in the order of the file.
    """
    ratings = tables.ratings
    known = ratings["movie_id"].value_counts().index[:films]
    ratings = ratings[ratings["movie_id"].isin(known)]
    active = ratings["user_id"].value_counts().index[:users]
    kept = {
        "users": tables.users[tables.users["user_id"].isin(active)],
        "movies": tables.movies[tables.movies["movie_id"].isin(known)],
        "ratings": ratings[ratings["user_id"].isin(active)],
    }
    return dataclasses.replace(tables, **{k: v.reset_index(drop=True) for k, v in kept.items()})


def neighbours(
    vectors: npt.NDArray[np.floating], names: Sequence[str], asked: Sequence[int], k: int = 3
) -> pd.DataFrame:
    """What points most nearly the same way as the (n, d) vectors at some positions.

    Returns:
        By the asked names, columns 1 to k: a neighbour's name with the cosine in brackets.
    """
    told = []
    for cosines in _cosines(vectors, asked):
        near = np.argsort(-cosines, kind="stable")[: min(k, len(vectors) - 1)]
        told.append([f"{names[other]} ({cosines[other]:.2f})" for other in near])
    return pd.DataFrame(told, [names[n] for n in asked]).rename(columns=lambda place: place + 1)


def kinship(vectors: npt.NDArray[np.floating], flags: npt.NDArray, k: int = 10) -> float:
    """The share, 0 to 1, of pairs of a thing and one of its k nearest that have a kind in common.

    Random vectors give the share among all pairs. Vectors are (n, d), and flags (n, kinds) are
    above 0 for what a thing is.
    """
    near = top_k(_cosines(vectors, range(len(vectors))), min(k, len(vectors) - 1))
    of = (np.asarray(flags) > 0).astype(np.int64)
    return float(np.take_along_axis((of @ of.T) > 0, near, axis=1).mean())


def in_common(first: npt.NDArray, second: npt.NDArray) -> npt.NDArray[np.float64]:
    """How much two descriptions of the same n things say alike, whatever axes each has.

    The canonical correlations of (n, p) and (n, q), falling: the largest correlation of a
    combination of columns of the one with a combination of columns of the other, then the next.

    Reference:
        Hotelling (1936), Relations between two sets of variates.
    """
    bases = [np.linalg.qr(each - each.mean(axis=0))[0] for each in (first, second)]
    correlations: npt.NDArray[np.float64] = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    return correlations


def _cosines(vectors: npt.NDArray[np.floating], asked: Sequence[int]) -> npt.NDArray[np.float32]:
    """Of those asked for with all, (asked, n); -inf with itself, so that no one is near itself."""
    unit, rows = unit_rows(np.asarray(vectors, dtype=np.float32)), np.asarray(asked)
    cosines = unit[rows] @ unit.T
    cosines[np.arange(len(rows)), rows] = -np.inf
    return cosines


def joined_table(
    tables: Tables, features: Features, rows: slice | npt.NDArray[np.int64] = slice(None)
) -> pd.DataFrame:
    """The three tables joined on user and movie, encoded, as the source document prints them.

    Returns:
        One row a rating with `UserID`, `MovieID`, `ratings`, `Gender`, `Age`, `JobID` (where the
        data has them), `Title` and `Genres` (lists of indices).
    """
    names = {"user_id": "UserID", "movie_id": "MovieID", "rating": "ratings", "job": "JobID"}
    joined = tables.ratings.iloc[rows][["user_id", "movie_id", "rating"]]
    user_idx = features.users.encode(joined["user_id"])
    movie_idx = features.movies.encode(joined["movie_id"])
    fields: dict[str, object] = {k: v[user_idx] for k, v in features.user_fields.items()}
    fields |= {k: features.movie_fields[k][movie_idx].tolist() for k in ("title", "genres")}
    return joined.assign(**fields).rename(columns=lambda name: names.get(name, name.capitalize()))
