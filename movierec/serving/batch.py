"""The best films of a large user base: from Parquet to Parquet, part by part, by several workers.

The parts, `part-00000.parquet` and on, have the columns of `for_users` that are numbers. Beside
them stand `_job.json`, what they were made from, and, written last, `_SUCCESS`: readers of Parquet
folders skip names that begin with an underscore. Each part is written whole; a job that was
interrupted, started again, makes those that are missing.

Workers are processes of Dask: on one machine without a service to be set up, or on a cluster
(`scheduler`), whose workers must see the same folders and have movierec installed.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from movierec.cluster import check_workers, cluster
from movierec.errors import InputError
from movierec.files import alone, is_earlier, write_whole
from movierec.recommend.choosing import check_choice
from movierec.recommend.recommender import Recommender
from movierec.runs import load_run

PART = 20_000  # users; their lists take seconds
JOB, DONE = "_job.json", "_SUCCESS"


def recommend_all(
    run_dir: Path,
    users: Path,
    out: Path,
    k: int = 10,
    workers: int = 1,
    scheduler: str | None = None,
    part_size: int = PART,
    on_part: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the best films of each user; films that they have rated are left out.

    Args:
        users: a Parquet file with a column `user_id`, or a folder of such files.
        out: a new folder, or that of the same job, interrupted.
        workers: processes on this machine; with one, this process does it all, without Dask.
        scheduler: address of a Dask cluster, in place of `workers`.
        part_size: users a part.
        on_part: called with the number of parts that are there and of all.

    Returns:
        `users`, `parts`, and `made`, the parts that this call wrote.

    Raises:
        InputError: users that cannot be read or that the run does not know, a setting out of range,
            a folder of something else, or workers without the extra `batch`.
    """
    check_choice(k)
    if part_size < 1:
        raise InputError(f"got part size {part_size}; expected 1 or more")
    check_workers(workers, scheduler)
    run_dir = load_run(run_dir).path.absolute()  # before a cluster is started
    if not (files := sorted(users.glob("*.parquet")) if users.is_dir() else [users]):
        raise InputError(f"{users} holds no Parquet files; expected some with a column user_id")
    user_ids = np.concatenate([_user_ids(file) for file in files])
    run = _checksum(run_dir / "run.json")
    checksums = {file.name: _checksum(file) for file in files}
    job = {"run": run, "users": checksums, "k": k, "part_size": part_size}
    out, told = out.absolute(), json.dumps(job, indent=2).encode()
    with alone(out), ExitStack() as stack:
        if not is_earlier(out, JOB, "of such a job", "name a new folder with --out"):
            out.mkdir(exist_ok=True)
            write_whole(out / JOB, told)
        elif (out / JOB).read_bytes() != told:
            raise InputError(
                f"{out} was begun with another run, other users, or another k; name a new folder "
                "with --out, or give the same command again"
            )
        firsts = range(0, len(user_ids), part_size)
        missing = [
            (run_dir, run, user_ids[first : first + part_size], part, k)
            for number, first in enumerate(firsts)
            if not (part := out / f"part-{number:05}.parquet").exists()
        ]
        made: Iterator[None] = itertools.starmap(_make, missing)
        if missing:
            (out / DONE).unlink(missing_ok=True)  # somebody has removed parts since
            if workers > 1 or scheduler is not None:
                dask = stack.enter_context(cluster(min(workers, len(missing)), scheduler))
                made = iter(dask(_make, [], missing))
        for there, _ in enumerate(made, start=len(firsts) - len(missing) + 1):
            if on_part:
                on_part(there, len(firsts))
        write_whole(out / DONE, b"")
    return {"users": len(user_ids), "parts": len(firsts), "made": len(missing)}


def _user_ids(file: Path) -> np.ndarray:
    """The users of a Parquet file, int64; the caller's own, however it is packed."""
    try:
        with pq.ParquetFile(file) as source:
            schema, table = source.schema_arrow, source.read(columns=["user_id"])
    except (OSError, pa.ArrowException) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(
            f"{file} cannot be read as Parquet ({reason}); expected a Parquet file with a column "
            "user_id, as pandas.read_csv(...).to_parquet(...) makes it from a CSV file"
        ) from error
    kinds = [field.type for field in schema if field.name == "user_id"]
    if len(kinds) != 1 or not pa.types.is_integer(kinds[0]):
        found = ", ".join(f"{field.name} ({field.type})" for field in schema)
        raise InputError(f"{file} has the columns {found}; expected one user_id, whole numbers")
    if table["user_id"].null_count:
        raise InputError(f"{file} has rows without a user_id; leave them out")
    return table["user_id"].to_numpy().astype(np.int64)


def _checksum(file: Path) -> str:
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _make(run_dir: Path, run: str, user_ids: np.ndarray, out: Path, k: int) -> None:
    """Write the lists of some of the users."""
    recommender = _recommender(run_dir, run)
    user_idx = recommender.features.users.encode(user_ids)
    best, scores = recommender.top(user_idx, k)
    rows, ranks = np.nonzero(best >= 0)
    movie_idx = best[rows, ranks]
    columns = {
        "user_id": user_ids[rows],
        "rank": (ranks + 1).astype(np.int32),
        "movie_id": recommender.features.movies.decode(movie_idx),
        "score": scores[rows, ranks],
        "predicted": recommender.scorer.stars(user_idx[rows], movie_idx),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    write_whole(out, sink.getvalue())


@lru_cache(maxsize=1)
def _recommender(run_dir: Path, run: str) -> Recommender:
    """That of the run with this checksum, read once by each process."""
    return load_run(run_dir).recommender
