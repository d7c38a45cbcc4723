"""A run for use elsewhere: Parquet, a SavedModel and ONNX graphs that need no movierec.

| in the folder | what it is |
| --- | --- |
| `export.json` | what the folder holds: the data set, functions, the formula of a score |
| `movies.parquet` | `movie_id`, `movie_idx`, `title`, `year`, `genres`, and the vectors |
| `users.parquet` | `user_id`, `user_idx`, `rated` (rows of the films rated), and the vectors |
| `vocabularies.json` | genres, title words and so on by index, for the towers of a network |
| `savedmodel/` | every function as a signature |
| `onnx/NAME.onnx` | each function as a graph |

What each function takes and gives, and how scores differ, stands in docs/serving.md.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from movierec.data.features import GENDERS
from movierec.data.tables import AGE_BANDS
from movierec.errors import InputError, needs
from movierec.files import alone, is_earlier, replacing
from movierec.recommend.scorer import EVEN, LIKING, STEEPNESS
from movierec.runs import Run
from movierec.vectors import Vectors

FORMATS = ("parquet", "savedmodel", "onnx")
LARGEST_ONNX = 2**31 - 2**24  # bytes of arrays; a graph and all it holds must stay below 2 GiB


def export(run: Run, out: Path, formats: tuple[str, ...] = FORMATS) -> dict[str, Any]:
    """Write a run to a new folder, whole or not at all; gives what `export.json` holds.

    Raises:
        InputError: an unknown format, a folder that is not empty, vectors too large for ONNX, or
            ONNX without the extra `export`.
        OSError: the folder cannot be written, or its disk is full.
    """
    if stray := set(formats) - set(FORMATS):
        raise InputError(f"got the format {min(stray)!r}; expected some of {', '.join(FORMATS)}")
    if "onnx" in formats:
        with needs("export", "the format onnx"):
            for package in ("onnx", "tf2onnx"):
                importlib.import_module(package)
        model, watching = run.recommender.model, run.recommender.model.watching
        halves = model.users, model.films, watching.profiles, watching.watched
        if (size := sum(matrix.nbytes for matrix in halves)) > LARGEST_ONNX:
            raise InputError(
                f"the vectors take {size / 2**30:.1f} GiB and an ONNX graph holds less than 2; "
                "choose --format savedmodel or parquet"
            )
    out = Path(os.path.abspath(out))  # "." has no name to write beside
    with alone(out):
        is_earlier(out, None, "empty", "name a new folder with --out")
        with replacing(out) as folder:
            folder.mkdir()
            return _write(run, folder, formats)


def _write(run: Run, folder: Path, formats: tuple[str, ...]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "dataset": run.info["dataset"],
        "recipe": run.config["recipe"],
        "movierec": run.info["versions"]["movierec"],
        "lowest_rating": run.recommender.lowest,
        "highest_rating": run.recommender.highest,
        "formats": list(formats),
        "score": (
            f"max(watch, 1e-6) ** {1 - LIKING:g} * like ** {LIKING:g}, where watch is the product "
            "of the user's profile and the film's watched, like = 1 / (1 + exp(-"
            f"{STEEPNESS:g} * (rating - {EVEN:g}))), and rating is the product of the vectors"
        ),
    }
    if "parquet" in formats:
        _write_parquet(run, folder)
    if "savedmodel" in formats or "onnx" in formats:
        with needs("network", "a function as SavedModel or ONNX"):
            from movierec.serving import graphs  # TensorFlow takes seconds

        built = graphs.Graphs(run)
        told["functions"] = list(built.functions)
        if "savedmodel" in formats:
            graphs.save(built, folder / "savedmodel")
        if "onnx" in formats:
            (folder / "onnx").mkdir()
            graphs.save_onnx(built, folder / "onnx")
        if "network" in run.config:  # for its towers
            known: dict[str, Any] = {"genres": run.features.genres, "words": run.features.words}
            people = {"genders": GENDERS, "age_bands": AGE_BANDS, "jobs": run.tables.occupations}
            known |= people if run.features.user_fields else {}
            _write_json(folder / "vocabularies.json", known)
    _write_json(folder / "export.json", told)
    return told


def _write_parquet(run: Run, folder: Path) -> None:
    recommender, features, model = run.recommender, run.features, run.recommender.model
    users, movies = features.users.used, features.movies.used
    films = {
        "movie_id": features.movies.decode(movies),
        "movie_idx": movies,
        **{name: pa.array(run.tables.movies[name]) for name in ("title", "year", "genres")},
        "vector": _lists(model.films[movies]),
        "watched": _lists(model.watching.watched[movies]),
    }
    rated = [recommender.seen(user_idx)[0] for user_idx in users]
    people = {
        "user_id": features.users.decode(users),
        "user_idx": users,
        "rated": pa.array(rated, pa.list_(pa.int32())),
        "vector": _lists(model.users[users]),
        "profile": _lists(model.watching.profiles[users]),
    }
    for name, columns in (("movies", films), ("users", people)):
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def _lists(matrix: Vectors) -> pa.Array:
    """The rows of a matrix as lists of one length."""
    flat = pa.array(np.ascontiguousarray(matrix).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
