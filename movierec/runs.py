"""A run folder: what a training leaves on disk. The only place that writes or reads one.

| file | what it holds |
| --- | --- |
| `run.json` | format, data set, recipe and settings, split, metrics, seconds, versions, checksums |
| `tables/*.parquet` | users, movies, and ratings with the part each row had in the training |
| `vocabularies.json` | genres and title words by index |
| `weights.safetensors` | all that the recipe has learned, by name |
| `stars.safetensors` | `users` and `films`, whose products are the predicted stars |
| `watching.safetensors` | `profiles` and `watched`, whose products say what is watched, and more |
| `newcomers.safetensors` | what gives new users and films their vectors |
| `certainty.safetensors` | how far ratings lie from what is predicted |
| `history.csv` | a row an epoch |
| `plots/*.png` | pictures of the training |

Nothing in it can execute: no pickles, and networks are rebuilt from their settings. A folder is
written beside its place and moved there when it is complete. Nobody has to know its recipe.

Opening a folder reads `run.json` and looks whether all files are there; the rest is read when it is
used, large files only as far as they are. Nothing is given unchecked: each piece by its checksum,
numbers for being some, tables by the schema. So what nobody uses may be damaged.
"""

from __future__ import annotations

import errno
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import safetensors.numpy
from pydantic import Field

from movierec.data.features import Features
from movierec.data.tables import (
    MOST_OCCUPATIONS,
    RATING_RANGE,
    LateTables,
    Tables,
    check_pairs,
    check_table,
    validate_sides,
)
from movierec.errors import InputError, one_line
from movierec.files import is_earlier, recovered, replacing
from movierec.logs import logger
from movierec.models.certainty import Certainty
from movierec.models.model import Model
from movierec.models.newcomers import Newcomers
from movierec.models.recipe import Trained
from movierec.models.watching import Watching
from movierec.paths import reports_dir
from movierec.recommend.recommender import Recommender
from movierec.stored import Checked, arrays, checksums
from movierec.trust import Form, Shown, check_within, leads_out, read_json, read_parquet
from movierec.vectors import Rows

log = logger(__name__)

FORMAT = 5
PARTS = ("train", "validation", "test")
PACKAGES = ("movierec", "numpy", "pandas", "pyarrow", "safetensors")  # and the recipe's
_COLUMNS = {
    "users": ("user_id", "gender", "age", "occupation", "zip"),
    "movies": ("movie_id", "title", "genres", "year", "tmdb_id"),
    "ratings": ("user_id", "movie_id", "rating", "timestamp", "part"),
}
_FILES = {
    *(f"tables/{name}.parquet" for name in _COLUMNS),
    *(f"{name}.safetensors" for name in ("weights", "stars", "watching", "newcomers", "certainty")),
    "vocabularies.json",
    "history.csv",
}
_PICTURE = re.compile(r"plots/[A-Za-z0-9][A-Za-z0-9_-]*\.png")
_LONGEST_TITLE = 1000  # words; more can only be a damaged number
_LARGEST = 1_000_000  # of any number of a half, likewise: products of larger ones have no end
WIDEST = 100  # columns of the history
_Sums = Annotated[str, Field(pattern="^[0-9a-f]{64}( [0-9a-f]{64})*$")]
_Steps = Literal["prepare", "compile", "train", "finish"]
_Stars = Annotated[float, Field(ge=RATING_RANGE[0], le=RATING_RANGE[1])]


class _Format(Form):
    format: Any = None


class _Config(Form, extra="allow"):
    recipe: Shown
    seed: int


class _Info(Form, extra="allow"):
    """What `run.json` holds, as far as it is used here; what else it holds is kept."""

    dataset: Shown
    config: _Config
    rows: Annotated[dict[Literal["train", "validation", "test"], int], Field(min_length=3)]
    metrics: Annotated[
        dict[Literal["validation", "test"], dict[str, Any] | None], Field(min_length=2)
    ]
    seconds: Annotated[dict[_Steps, float], Field(min_length=4)]
    best_epoch: int
    occupations: Annotated[list[Shown], Field(max_length=MOST_OCCUPATIONS)]
    stars: tuple[_Stars, _Stars]  # lowest and highest that were given
    files: dict[str, _Sums]  # checksums, see `stored`


class _Vocabularies(Form):
    genres: list[str]
    words: list[str]
    title_length: Annotated[int, Field(gt=0, le=_LONGEST_TITLE)]


class _Damage(InputError):
    """A run folder that is not as it was written."""


@dataclass(frozen=True)
class Run:
    """A finished training, read from its folder; parts are read when first asked for."""

    path: Path
    info: dict[str, Any]  # what `run.json` holds

    @property
    def config(self) -> dict[str, Any]:
        """The recipe with its settings, the seed and the split."""
        return self.info["config"]

    @property
    def metrics(self) -> dict[str, Any]:
        """Errors on the validation rows and, where rows were held out, on the test rows."""
        return self.info["metrics"]

    @property
    def seconds(self) -> dict[str, float]:
        """Where the time went: `prepare`, `compile`, `train`, `finish`."""
        return self.info["seconds"]

    @property
    def best_epoch(self) -> int:
        """The epoch whose state was kept."""
        return self.info["best_epoch"]

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row an epoch, as `models.recipe.Trained.history`."""
        content = self._open("history.csv").read()
        with self._told("history.csv"):
            # of very many columns, or of quotes that could hide them, pandas makes minutes
            if b'"' in content or any(row.count(b",") >= WIDEST for row in content.splitlines()):
                raise ValueError(f"expected numbers without quotes in {WIDEST} columns at most")
            history = pd.read_csv(io.BytesIO(content))
            if history[["epoch", "train_loss", "val_loss"]].empty:
                raise ValueError("it has no row")
            return history

    @cached_property
    def tables(self) -> Tables:
        """The users, movies and ratings that the run was made from.

        The ratings, which may be millions, are read and checked when they are first asked for.
        """
        users, movies = self._table("users"), self._table("movies")
        with self._told("its tables do not fit the schema"):
            # whole numbers with missing ones among them come back from Parquet as floats
            numbers = ["year", *({"tmdb_id"} & set(movies.columns))]
            movies = movies.astype(dict.fromkeys(numbers, "Int64"))
            users, movies = validate_sides(users, movies, len(self.info["occupations"]))
        named = self.info["dataset"], tuple(self.info["occupations"])
        return LateTables(users, movies, lambda: self._valid(self._ratings), *named)

    def _valid(self, ratings: pd.DataFrame) -> pd.DataFrame:
        """All ratings, or some of them, if they go with the other tables; without their part."""
        with self._told("its tables do not fit the schema"):
            ratings = ratings.drop(columns="part")
            check_table("ratings", ratings)
            check_pairs(ratings, self.tables.users, self.tables.movies)
            return ratings

    def _rated_by(self, user_id: int) -> pd.DataFrame:
        """The ratings of one user, and whether each was `learned`, without the others."""
        rows = self._table("ratings", ("user_id", user_id))
        found = self._valid(rows) if len(rows) else rows
        return found.assign(learned=self._part_of(rows) != "test")

    @cached_property
    def features(self) -> Features:
        """The encodings, by the vocabularies of the run."""
        with self._told("vocabularies.json"):
            stored = read_json(self._open("vocabularies.json").read(), _Vocabularies)
            features = Features.fit(self.tables, title_length=stored.title_length)
            if (features.genres, features.words) != (stored.genres, stored.words):
                raise ValueError("it does not fit the tables")
            return features

    @cached_property
    def recommender(self) -> Recommender:
        """The run's recommender."""
        stars: dict[str, Any] = self._arrays("stars", ("users", "films"))
        watching = Watching(**self._arrays("watching", Watching._fields))
        newcomers = Newcomers(**self._arrays("newcomers", Newcomers._fields))
        certainty = Certainty(**self._arrays("certainty", Certainty._fields))
        model = Model(**stars, watching=watching, newcomers=newcomers, certainty=certainty)
        with self._told("its arrays do not fit the tables"):
            given = lambda: self.part != "test", self.info["stars"], self._rated_by
            return Recommender(self.tables, self.features, model, *given)

    @cached_property
    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """All that the recipe has learned, by name."""
        held = arrays(self._open("weights.safetensors"))
        return {name: np.asarray(array) for name, array in held.items()}

    @cached_property
    def part(self) -> pd.Categorical:
        """The part of each row of `tables.ratings`: "train", "validation" or "test"."""
        return self._part_of(self._ratings)

    def _part_of(self, ratings: pd.DataFrame) -> pd.Categorical:
        if "part" not in ratings.columns or not ratings["part"].isin(PARTS).all():
            raise self._damaged(f"its ratings are not all marked as {', '.join(PARTS)}")
        return pd.Categorical(ratings["part"], PARTS)

    def rows(self, *parts: str) -> Rows:
        """The encoded ratings of some parts, in the order of the table.

        Raises:
            InputError: a part that is none of `PARTS`.
        """
        if stray := set(parts) - set(PARTS):
            raise InputError(f"unknown part {min(stray)!r}; expected some of {', '.join(PARTS)}")
        return encode_rows(self.tables, self.features).take(np.flatnonzero(self.part.isin(parts)))

    @cached_property
    def _ratings(self) -> pd.DataFrame:
        return self._table("ratings")

    def _table(self, name: str, only: tuple[str, int] | None = None) -> pd.DataFrame:
        place = f"tables/{name}.parquet"
        with self._told(place):
            return read_parquet(self._open(place), _COLUMNS[name], coded=["part"], only=only)

    def _arrays(self, name: str, fields: Sequence[str]) -> dict[str, Any]:
        """The arrays of a file, if they are these; that they hold numbers is looked at by piece."""

        def sound(field: str, numbers: npt.NDArray[Any]) -> None:
            rows = field == "neighbours"
            kind = np.dtype(np.int32 if rows else np.float32)
            if numbers.dtype != kind or not (np.abs(numbers) <= _LARGEST).all():
                raise self._damaged(f"the array {field} is not all finite {kind} of usual size")
            if rows and np.any((numbers < 0) | (numbers >= len(self.features.movies))):
                raise self._damaged(f"the films' {field} are rows that are no film's")

        held = arrays(self._open(f"{name}.safetensors"), sound)
        if set(held) != set(fields) or not all(array.ndim for array in held.values()):
            raise self._damaged(f"{name}.safetensors holds {sorted(held)}, not {sorted(fields)}")
        return held

    def _open(self, name: str) -> Checked:
        """A file, of which no byte is given but those that were written."""
        path, info = self.path, self.info  # not self: arrays hold the file, and would hold the run
        with self._told(name):
            sums = info["files"][name]
            return Checked(path / name, sums, lambda what: _damage(path, info, f"{name} {what}"))

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Around what a damaged or foreign part of the folder makes fail."""
        try:
            yield
        except _Damage:
            raise
        except (OSError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise self._damaged(f"{what}: {error}") from error

    def _damaged(self, what: str) -> _Damage:
        return _damage(self.path, self.info, what)


def _damage(path: Path, info: dict[str, Any], what: str) -> _Damage:
    with suppress(InputError):
        if info and read_json(path / "run.json", _Info).files != info["files"]:
            return _Damage(f"{path} was replaced since it was opened; open it again")
    return _Damage(f"{path} is a damaged run folder: {one_line(what)}. Train it again")


def load_run(path: str | os.PathLike[str]) -> Run:
    """Open a run folder, or the run that a notebook batch left in its folder's `model`.

    Nothing of the folder is executed.

    Raises:
        InputError: no run folder, one of another format, or a damaged one.
    """
    folder = recovered(Path(path))
    if not is_run(folder) and is_run(folder / "model"):
        check_within(folder / "model", folder, "name the run folder itself, if you trust it")
        folder = folder / "model"
    if not folder.is_dir():
        fault = "is no folder" if folder.exists() else "does not exist"
        raise InputError(f"{path} {fault}; expected a run folder, as `movierec train` makes")
    if not is_run(folder):
        raise InputError(f"{path} is not a run folder: it has no run.json")
    check_within(folder / "run.json", folder, "copy it there, if you trust it")
    with Run(folder, {})._told("run.json is not as this version of movierec writes it"):
        found = read_json(folder / "run.json", _Format).format
    if type(found) is not int or found != FORMAT:
        raise InputError(
            f"{folder} has run-folder format {one_line(repr(found), 80)}; this movierec reads "
            f"{FORMAT}. Train it again, or use the version of movierec that wrote it"
        )
    with Run(folder, {})._told("run.json"):
        run = Run(folder, read_json(folder / "run.json", _Info).model_dump())
    for name in sorted(_FILES | set(run.info["files"])):
        if name not in _FILES and not _PICTURE.fullmatch(name):
            raise run._damaged(f"run.json lists {name!r}, which is no file of a run")
        if name not in run.info["files"]:
            raise run._damaged(f"run.json lists no {name}")
        if leads_out(folder / name, folder):
            raise run._damaged(f"{name} is a link that leads out of it")
        if not (folder / name).is_file():
            raise run._damaged(f"{name} is missing")
        if name in _FILES:
            run._open(name)
    log.debug("opened %s", folder)
    return run


def is_run(path: Path) -> bool:
    """Whether a folder is a run folder."""
    return (path / "run.json").is_file()


def newest_run() -> Run:
    """The run that `newest_path` finds.

    Raises:
        InputError: there is none.
    """
    if (path := newest_path()) is None:
        mend = "train one with `movierec train`, or name one with --run"
        raise InputError(f"no run folder in {reports_dir()}/; {mend}")
    return load_run(path)


def newest_path() -> Path | None:
    """The folder of the run below `reports_dir()` that was finished last; None if there is none.

    A notebook batch leaves its runs one folder deeper than a training does.
    """
    found = [*reports_dir().glob("*/run.json"), *reports_dir().glob("*/*/run.json")]
    return max(found, key=lambda file: file.stat().st_mtime).parent if found else None


def encode_rows(tables: Tables, features: Features) -> Rows:
    """All ratings as row numbers and stars, in the order of the table."""
    return Rows(
        features.users.encode(tables.ratings["user_id"]),
        features.movies.encode(tables.ratings["movie_id"]),
        tables.ratings["rating"].to_numpy(dtype=np.float32),
    )


def check_target(path: Path) -> None:
    """Refuse, before anything is computed, a folder that a run may not be written to.

    Raises:
        InputError: there is a file, or a folder of something else than a run, or more than one.
    """
    recovered(path, held=True)
    mend = "name a new folder, or an earlier run, which will be replaced"
    if not is_earlier(path, "run.json", "a run folder", mend):
        return
    held = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    if stray := {file for file in held - _FILES - {"run.json"} if not file.startswith("plots/")}:
        raise InputError(
            f"{path} is a run folder that also holds {min(stray)}, which replacing the run would "
            "lose; move it away, or name another folder"
        )


def write_run(
    path: Path,
    *,
    info: Mapping[str, Any],
    tables: Tables,
    part: pd.Categorical,
    features: Features,
    trained: Trained,
    model: Model,
    plots: Mapping[str, bytes],
) -> Run:
    """Write a run folder whole, or leave what was there.

    Args:
        path: the folder; an earlier run there is replaced.
        info: settings, metrics and seconds for `run.json`.
        tables, part, features: the data, each rating's part (one of `PARTS`), and the encodings.
        trained, model, plots: what came out, the two halves, and PNG files by name.

    Raises:
        InputError: the folder holds something else, or the disk is full or read-only.
    """
    check_target(path)
    matrices = {
        "weights": trained.weights,
        "stars": {"users": model.users, "films": model.films},
        "watching": model.watching._asdict(),
        "newcomers": model.newcomers._asdict(),
        "certainty": model.certainty._asdict(),
    }
    length = features.sizes.title_length
    names = {"genres": features.genres, "words": features.words, "title_length": length}

    def contents() -> Iterator[tuple[str, bytes]]:
        """The files, one after the other, since each may fill much of the memory."""
        frames = tables.users, tables.movies, tables.ratings.assign(part=part)
        for name, frame in zip(_COLUMNS, frames, strict=True):
            yield f"tables/{name}.parquet", frame.to_parquet(index=False)
        for name, held in matrices.items():
            yield f"{name}.safetensors", safetensors.numpy.save(held)
        yield "vocabularies.json", json.dumps(names, ensure_ascii=False).encode()
        yield "history.csv", trained.history.to_csv(index=False).encode()
        yield from ((f"plots/{name}", picture) for name, picture in plots.items())

    stars = tables.ratings["rating"]
    full = {
        "format": FORMAT,
        **info,
        "dataset": tables.name,
        "occupations": list(tables.occupations),
        "stars": [float(stars.min()), float(stars.max())],
        "versions": info.get("versions", {}) | {name: version(name) for name in PACKAGES},
        "files": {},
    }
    try:
        with replacing(path) as folder:
            for name, content in contents():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
                full["files"][name] = checksums(content)
            told = json.dumps(full, indent=2, ensure_ascii=False)
            (folder / "run.json").write_bytes(told.encode())
    except OSError as error:
        fault = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        fault = f"{fault}; nothing was left there. Name another folder with --run"
        raise InputError(f"the run could not be written to {path}: {fault}") from error
    errors = " and ".join(f"{part} {error}" for part, error in info["metrics"].items() if error)
    log.info("wrote %s; seconds %s; %s", path, info["seconds"], errors or "nothing held out")
    return load_run(path)
