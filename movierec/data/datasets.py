"""The data sets by name: found on disk, or offered by a room, and read into tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.readers import read, read_ratings
from movierec.data.sources import opened
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.logs import logger
from movierec.paths import data_dir
from movierec.registry import offer, offered

log = logger(__name__)

FOLDS = ("u1", "u2", "u3", "u4", "u5")  # ML-100K's own splits, five disjoint fifths


def names() -> tuple[str, ...]:
    """The data sets that need no path: those that rooms offer, and the archives that they fetch."""
    return (*offered("datasets"), *offered("archives"))


def load_dataset(name: str, path: str | os.PathLike[str] | None = None) -> Tables:
    """Read a data set into validated tables; find it, or download it, when no path is given.

    Without a path the data folder (`data_dir()`) is searched for a folder `NAME`, then for
    `NAME.zip`; failing both, the archive is downloaded there and its checksum verified. The
    simulated `sample` needs neither files nor network.

    Args:
        name: one of `names()`. With a path, the form is told by the files found there, and any
            other name is accepted as a label for a user's own data.
        path: a folder with the files (or with one folder that has them), or a zip.

    Raises:
        InputError: an unknown name, a missing or malformed file, a failed download.

    Example:
        >>> load_dataset("sample").ratings.columns.tolist()
        ['user_id', 'movie_id', 'rating', 'timestamp']
    """
    if path is None and name in offered("datasets"):
        tables: Tables = offer("datasets", name)()
        return tables
    if name not in offered("archives") and path is None:
        raise InputError(
            f"unknown data set {name!r}; expected one of {', '.join(names())}, or your own data "
            "with --from PATH (in Python: path=...)"
        )
    began = time.perf_counter()
    place = Path(path) if path is not None else find_archive(name) or offer("archives", name)(name)
    tables = read(place, name)
    read_here = "read %s from %s: %d users, %d movies, %d ratings, in %.1f s"
    sizes = len(tables.users), len(tables.movies), len(tables.ratings)
    log.info(read_here, name, place, *sizes, time.perf_counter() - began)
    return tables


def find_archive(name: str) -> Path | None:
    """The folder or zip of a data set in `data_dir()`, or None."""
    candidates = data_dir() / name, data_dir() / f"{name}.zip"
    return next((path for path in candidates if path.exists()), None)


def official_fold(
    tables: Tables, path: str | os.PathLike[str] | None, fold: str
) -> npt.NDArray[np.int64]:
    """The test rows of one of ML-100K's five official folds.

    Args:
        tables: ML-100K, from `load_dataset`.
        path: where they were read from, as in `load_dataset`.
        fold: one of `FOLDS`.

    Returns:
        int64 (n,) row numbers of `tables.ratings`, in the order of `FOLD.test`.

    Raises:
        InputError: a data set that has no such fold, or a fold with a rating that the tables do
            not have.
    """
    place = Path(path) if path is not None else find_archive(tables.name)
    file = f"{fold}.test"
    wanted = f"only ML-100K has the official folds {FOLDS[0]} to {FOLDS[-1]}, one {file} a fold"
    if place is None:
        raise InputError(f"{tables.name} has no {file}: {wanted}; choose another --holdout")
    with opened(place, tables.name) as source:
        if file not in source.names:
            missing = source.where(file)
            raise InputError(f"{missing} is missing: {wanted}; choose another --holdout")
        test = read_ratings(source, file, "user id, movie id, rating, timestamp", "\t")
    known, asked = (
        pd.MultiIndex.from_frame(frame[["user_id", "movie_id"]]) for frame in (tables.ratings, test)
    )
    rows = known.get_indexer(asked)
    if (rows < 0).any():
        user_id, movie_id = asked[int(np.argmax(rows < 0))]
        raise InputError(
            f"{file} of {place} has a rating of movie {movie_id} by user {user_id} that the "
            "ratings do not have; expected both from the same archive"
        )
    return rows.astype(np.int64)
