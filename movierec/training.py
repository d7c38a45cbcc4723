"""The whole line in one call: tables to features to a trained model to a run folder.

TensorFlow is loaded only for recipes that train a network.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import time
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.datasets import load_dataset
from movierec.data.features import Features
from movierec.data.splits import RowNumbers, holdout_record, split, validation_split
from movierec.data.tables import Tables, validate_tables
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.files import alone
from movierec.lessons import plots
from movierec.logs import logger
from movierec.models.best import fit_best
from movierec.models.checkpoints import Checkpoint, checkpoint_folder
from movierec.models.newcomers import fill_newcomers, learn_newcomers
from movierec.models.recipe import Trained
from movierec.models.recipes import BestRecipe, Recipe, resolve_recipe, starting_at
from movierec.paths import reports_dir
from movierec.progress import progress, say
from movierec.runs import (
    BEST,
    PARTS,
    Run,
    check_target,
    encode_rows,
    is_run,
    load_run,
    write_run,
)
from movierec.vectors import Rows, pair_scores

log = logger(__name__)


def train(
    tables: Tables,
    recipe: str | Recipe | BestRecipe = "classic",
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    holdout: str | npt.ArrayLike = "random",
    holdout_fraction: float = 0.1,
    holdout_seed: int = 0,
    validation_fraction: float | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
    resume: bool = False,
    tensorboard: str | os.PathLike[str] | None = None,
    start_from: str | os.PathLike[str] | None = None,
) -> Run:
    """Train a network on tables and write its run folder.

    While it trains, a checkpoint and the history so far stand beside the run folder, in
    `RUN_DIR.partial`. If the process is killed, the same call with `resume=True` continues from
    there and ends with exactly the numbers of a training that was never interrupted.

    Args:
        tables: from `load_dataset`, or of your own.
        recipe: "classic", "fast", "best", or a `Recipe` or `BestRecipe` of your own.
        seed: of the initial weights, the validation rows, the order of the rows and the dropout.
            The same seed on the same machine gives the same run.
        run_dir: where to write; `reports/DATASET-RECIPE` when not given. An earlier run there is
            replaced.
        holdout, holdout_fraction, holdout_seed: which rows are held out for the test; see
            `splits.split`.
        validation_fraction: part of the training rows that chooses the best state; 0.05 when not
            given, and 0 for "best", which chooses nothing while it trains.
        epochs, batch_size, learning_rate, patience: in place of the recipe's.
        resume: continue an interrupted training of the same settings and data. Where there is
            none, train from the beginning; where the run is complete, return it. Otherwise the
            checkpoint of an interrupted training is removed.
        tensorboard: a folder for TensorBoard logs, in which each run has a folder of its name.
        start_from: an earlier run, whose network the training starts at: with more ratings, users
            or films than it had, training is continued instead of begun.

    Returns:
        The run, as `load_run` reads it.

    Raises:
        InputError: a setting out of range, tables that break the schema, a folder that is taken,
            or that another process is writing to, a training that diverged, or one to resume that
            had other settings or other data.

    Example:
        >>> run = train(load_dataset("sample"), recipe="fast", run_dir="reports/sample")
        >>> run.recommender.for_user(1, k=5)
    """
    settings = resolve_recipe(recipe, epochs, batch_size, learning_rate, patience)
    if isinstance(settings, BestRecipe):
        _check_best(settings, start_from, tensorboard)
    path = (
        Path(run_dir) if run_dir is not None else reports_dir() / f"{tables.name}-{settings.name}"
    )
    with alone(path) if _writes() else nullcontext():
        return _train(
            tables,
            settings,
            seed,
            path,
            holdout=holdout,
            holdout_fraction=holdout_fraction,
            holdout_seed=holdout_seed,
            validation_fraction=validation_fraction,
            resume=resume,
            tensorboard=tensorboard,
            start_from=None if start_from is None else load_run(start_from),
        )


def _check_best(settings: BestRecipe, start_from: object, tensorboard: object) -> None:
    """Refuse what only the training of a network can do."""
    if start_from is not None:
        raise InputError(
            f"the recipe {settings.name!r} is fitted from all ratings anew and starts from no run; "
            "leave the start out, or name another recipe"
        )
    if tensorboard is not None:
        raise InputError(
            f"the recipe {settings.name!r} writes no TensorBoard logs; leave them out: its history "
            "is in the run folder, in history.csv"
        )
    if os.environ.get("TF_CONFIG"):
        raise InputError(
            f"the recipe {settings.name!r} trains on one machine; unset TF_CONFIG, or name another "
            "recipe"
        )


def _writes() -> bool:
    """Whether this process writes the run: it trains alone, or is the first of several workers."""
    try:
        return json.loads(os.environ.get("TF_CONFIG") or "{}")["task"]["index"] == 0
    except (ValueError, KeyError, TypeError):
        return True  # what is wrong with it is told where the workers are counted


def _train(
    tables: Tables,
    settings: Recipe | BestRecipe,
    seed: int,
    path: Path,
    *,
    holdout: str | npt.ArrayLike,
    holdout_fraction: float,
    holdout_seed: int,
    validation_fraction: float | None,
    resume: bool,
    tensorboard: str | os.PathLike[str] | None,
    start_from: Run | None,
) -> Run:
    """`train` on a folder that no other process writes to."""
    began = time.perf_counter()
    check_target(path)
    tables = validate_tables(tables)
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    given, test = split(tables.ratings, holdout, holdout_fraction, holdout_seed)
    if validation_fraction is None:
        validation_fraction = 0.05 if isinstance(settings, Recipe) else 0.0
    learned, chosen = validation_split(given, validation_fraction, seed)
    if isinstance(settings, Recipe):
        settings = starting_at(settings, float(rows.rating[learned].mean(dtype=np.float64)))
    config = {
        "recipe": settings.name,
        **{k: v for k, v in dataclasses.asdict(settings).items() if k != "name"},
        "seed": seed,
        **holdout_record(holdout, holdout_seed, test, len(rows.rating)),
        "validation_fraction": validation_fraction,
    }
    if start_from:
        config["start_from"] = start_from.info["files"]["network.safetensors"]
    data_sha256 = _checksum(features, rows, learned, chosen)
    checkpoint = _checkpoint(path, config, data_sha256)
    if resume and not checkpoint.exists() and is_run(path):
        return _complete(path, config, data_sha256)
    log.info(
        "training %s for %s with seed %d on %s: rows to learn from %d, validation %d, test %d",
        settings.name,
        path,
        seed,
        tables.name,
        len(learned),
        len(chosen),
        len(test),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    data = _Data(tables, features, rows, learned, chosen, test, rows.mapped(learned, path.parent))
    info = {"config": config, "data_sha256": data_sha256}
    to_choose = rows.take(chosen)
    if isinstance(settings, BestRecipe):
        if resume:
            _check_nothing_to_resume(settings, checkpoint)
        prepared = time.perf_counter() - began
        with progress() as (show_epoch, _):
            trained = fit_best(features, data.learned_rows, to_choose, settings, seed, show_epoch)
        _write(path, data, trained, info, seed, prepared, fill=True)
        checkpoint.remove()  # of another recipe, whose run this one replaces
        return load_run(path)
    from movierec.network.saved import (
        train_network,  # here: it loads TensorFlow, which takes seconds
    )

    prepared = time.perf_counter() - began

    def finish(trained: Trained) -> None:
        _write(path, data, trained, info, seed, prepared, fill=False)

    train_network(
        features,
        data.learned_rows,
        to_choose,
        settings,
        seed,
        checkpoint,
        resume,
        Path(tensorboard) / path.name if tensorboard else None,
        start_from,
        finish,
    )
    return load_run(path)


def _check_nothing_to_resume(settings: BestRecipe, checkpoint: Checkpoint) -> None:
    """Recipe `best` keeps no checkpoint, and takes over none of another recipe."""
    if checkpoint.exists():
        raise InputError(
            f"the training to be resumed from {checkpoint.folder} was begun with another recipe; "
            "name that, or train without --resume to begin anew"
        )
    say(f"the recipe {settings.name!r} keeps no checkpoint; training from the beginning")


class _Data(NamedTuple):
    """What a training is made from: all rows, and the numbers of those of each part."""

    tables: Tables
    features: Features
    rows: Rows
    learned: RowNumbers
    chosen: RowNumbers
    test: RowNumbers
    learned_rows: Rows


def _write(
    path: Path,
    data: _Data,
    trained: Trained,
    info: dict[str, Any],
    seed: int,
    prepare_seconds: float,
    fill: bool,
) -> None:
    """Add what newcomers need, measure, and write the run folder.

    Args:
        path: the folder.
        data: what was trained on.
        trained: what came out.
        info: `config` and `data_sha256`, for `run.json`.
        seed: for the newcomers.
        prepare_seconds: until the training.
        fill: whether users and films without ratings have no vectors yet.
    """
    began = time.perf_counter()
    features, rows = data.features, data.rows
    user, movie = trained.vectors["user"], trained.vectors["movie"]
    known = user_attributes(features), movie_attributes(features)
    for name, array in trained.vectors.items():
        if not np.isfinite(array).all():
            raise InputError(
                f"the training ended with {name} vectors that are not finite; nothing was written. "
                "Lower the learning rate, or look for ratings that are out of the usual range"
            )
    newcomers = learn_newcomers(user, movie, *known, data.learned_rows, seed)
    if fill:
        fill_newcomers(newcomers, user, movie, *known, data.learned_rows)
    users = np.concatenate([user, newcomers.user_rest], axis=1)
    movies = np.concatenate([movie, newcomers.movie_rest], axis=1)
    lowest, highest = rows.rating.min(), rows.rating.max()

    def error_on(part: RowNumbers) -> dict[str, float] | None:
        if not len(part):
            return None
        given = rows.take(part)
        scores = pair_scores(users, movies, given.user_idx, given.movie_idx)
        return rating_metrics(given.rating, np.clip(scores, lowest, highest))

    codes = np.full(len(rows.rating), PARTS.index("train"), dtype=np.int8)
    codes[data.chosen], codes[data.test] = PARTS.index("validation"), PARTS.index("test")
    numbers = {"train": data.learned, "validation": data.chosen, "test": data.test}
    seconds = dict(trained.seconds)
    info = info | {
        "rows": {part: len(chosen) for part, chosen in numbers.items()},
        "parameters": sum(weight.size for weight in trained.weights.values()),
        "best_epoch": trained.best_epoch,
        "metrics": {part: error_on(numbers[part]) for part in ("validation", "test")},
        "seconds": {
            "prepare": prepare_seconds + seconds.pop("build"),
            **seconds,
            "finish": time.perf_counter() - began,
        },
    }
    write_run(
        path,
        info=info,
        tables=data.tables,
        part=pd.Categorical.from_codes(codes, list(PARTS)),
        features=features,
        trained=trained,
        newcomers=newcomers,
        plots={"loss.png": _loss_picture(trained.history)},
    )


def train_or_load(
    tables: Tables, run_dir: str | os.PathLike[str] | None = None, **settings: Any
) -> Run:
    """The run in a folder; trained first where there is none yet.

    Args:
        tables: what to train on.
        run_dir: the run folder; the one that the notebooks use, `reports/DATASET/model`, when not
            given.
        settings: for `train`.

    Raises:
        InputError: as `train` and `load_run`.
    """
    path = Path(run_dir) if run_dir else reports_dir() / tables.name / "model"
    return load_run(path) if is_run(path) else train(tables, run_dir=path, **settings)


def best_of(run: Run, run_dir: str | os.PathLike[str] | None = None) -> Run:
    """Recipe `best` on the data of a run, with the same rows held out.

    It is trained where it is not there yet, or where what is there has other data or other held-out
    rows.

    Args:
        run: of any recipe; one without a network is returned as it is.
        run_dir: where the other run is or comes to be. None: beside the run, in `best` for a run
            in `model`, as the notebooks have it, else in a folder of the run's name and `-best`.

    Raises:
        InputError: a folder that is taken by something else, or that another process writes to.
    """
    if not run.has_network:
        return run
    name = BEST if run.path.name == "model" else f"{run.path.name}-{BEST}"
    path = Path(run_dir) if run_dir else run.path.with_name(name)
    held_out = run.part == "test"
    if is_run(path):
        best = load_run(path)
        names = ("users", "movies", "ratings")
        same = [getattr(best.tables, name).equals(getattr(run.tables, name)) for name in names]
        if all(same) and np.array_equal(best.part == "test", held_out) and not best.has_network:
            return best
    holdout = np.flatnonzero(held_out) if held_out.any() else "none"
    return train(run.tables, "best", run.config["seed"], path, holdout=holdout)


def open_best(
    data: str,
    path: str | os.PathLike[str] | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    best_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
) -> Run:
    """The run of recipe `best` that recommendations come from; trained where there is none.

    Args:
        data, path: the data set and where it lies, as for `load_dataset`; asked for only where
            there is no run.
        run_dir: a run of any recipe, whose data and held-out rows are used if it is there.
        best_dir: where the run of `best` is or comes to be. None: beside the run, as in
            `best_of`, or else `reports/DATASET/best`.
        seed: of a training without a run.

    Raises:
        InputError: as `load_dataset`, `best_of` and `train`.
    """
    if run_dir and is_run(Path(run_dir)):
        return best_of(load_run(run_dir), best_dir)
    folder = Path(best_dir) if best_dir else reports_dir() / data / BEST
    return train_or_load(load_dataset(data, path), folder, recipe="best", seed=seed)


def _checkpoint(path: Path, config: dict[str, Any], data_sha256: str) -> Checkpoint:
    """The checkpoint of a run, with all that its numbers depend on, one setting an entry."""
    settings = {k: v for k, v in config.items() if k != "network"}
    settings |= config.get("network", {}) | {"data_sha256": data_sha256}
    settings |= {package: version(package) for package in ("movierec", "tensorflow", "keras")}
    return Checkpoint(checkpoint_folder(path), settings)


def _checksum(features: Features, rows: Rows, *parts: RowNumbers) -> str:
    """SHA-256 of what a training learns from: the encoded tables and the rows of each part."""
    digest = hashlib.sha256(json.dumps([features.genres, features.words]).encode())
    fields = [*features.user_fields.values(), *features.movie_fields.values(), features.years]
    for array in (features.users.ids, features.movies.ids, *fields, *rows, *parts):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _complete(path: Path, config: dict[str, Any], data_sha256: str) -> Run:
    """The complete run in a folder, if it is the one that these settings and data would make."""
    run = load_run(path)
    wanted = json.loads(json.dumps(config))  # as run.json holds it
    if run.config != wanted or run.info.get("data_sha256") != data_sha256:
        raise InputError(
            f"{path} holds a complete run of other settings or other data, and there is nothing to "
            "resume; train without --resume to replace it, or name another folder"
        )
    say(f"{path} is already complete; nothing to resume")
    return run


def _loss_picture(history: Any) -> bytes:
    figure = Figure(figsize=(7, 4), layout="constrained")
    plots.loss_curves(history, figure.subplots())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
