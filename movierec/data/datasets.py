"""The data sets by name: found on disk, or offered by a room, and read into tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

from movierec.data.readers import read
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.logs import logger
from movierec.paths import data_dir
from movierec.registry import offer, offered

log = logger(__name__)


def names() -> tuple[str, ...]:
    """The data sets that need no path: those that rooms offer, and the archives that they fetch."""
    return (*offered("datasets"), *offered("archives"))


def load_dataset(name: str, path: str | os.PathLike[str] | None = None) -> Tables:
    """Read a data set into validated tables; find it, or download it, when no path is given.

    Without a path, `data_dir()` is searched for a folder `NAME`, then for `NAME.zip`; failing both,
    the archive is downloaded there. The simulated `sample` needs neither files nor network.

    Args:
        name: one of `names()`; with a path, any label. The form is told by the files found there.
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
    sizes = len(tables.users), len(tables.movies), len(tables.ratings)
    said = "read %s from %s: %d users, %d movies, %d ratings, in %.1f s"
    log.info(said, name, place, *sizes, time.perf_counter() - began)
    return tables


def find_archive(name: str) -> Path | None:
    """The folder or zip of a data set in `data_dir()`, or None."""
    candidates = data_dir() / name, data_dir() / f"{name}.zip"
    return next((path for path in candidates if path.exists()), None)
