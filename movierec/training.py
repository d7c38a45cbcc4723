"""The whole line in one call: tables to features to a trained model to a run folder."""

from __future__ import annotations

import dataclasses
import hashlib
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

from movierec.data.features import Features
from movierec.data.splits import RowNumbers, holdout_record, split, validation_split
from movierec.data.tables import Tables, validate_tables
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.files import alone
from movierec.logs import logger
from movierec.models.checkpoints import Checkpoint, checkpoint_folder
from movierec.models.model import Model, complete
from movierec.models.recipe import Job, Recipe, Trained, resolve_recipe
from movierec.paths import reports_dir
from movierec.progress import say
from movierec.registry import offer, offered
from movierec.runs import PARTS, Run, check_target, encode_rows, is_run, load_run, write_run
from movierec.vectors import Rows, pair_scores

log = logger(__name__)


def train(
    tables: Tables,
    recipe: str | Recipe = "best",
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
    """Train by a recipe on tables and write the run folder.

    While it trains, a checkpoint and the history so far may stand beside the run folder, in
    `RUN_DIR.partial`. If the process is killed, the same call with `resume=True` continues from
    there and ends with exactly the numbers of a training that was never interrupted.

    Args:
        tables: from `load_dataset`, or of your own.
        recipe: a name, such as "best", "classic" or "fast", or a `Recipe` of your own.
        seed: of all that is random in the training, the validation rows included. The same seed on
            the same machine gives the same run.
        run_dir: where to write; `reports/DATASET-RECIPE` when not given. An earlier run there is
            replaced.
        holdout, holdout_fraction, holdout_seed: which rows are held out for the test; see
            `splits.split`.
        validation_fraction: part of the training rows that chooses the best state; the recipe's
            when not given: 0.05 for a network, 0 for "best", which chooses nothing.
        epochs, batch_size, learning_rate, patience: in place of the recipe's, if it has them.
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
    settings = resolve_recipe(
        recipe,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        patience=patience,
        resume=resume,
        tensorboard=tensorboard,
        start_from=start_from,
        workers=bool(os.environ.get("TF_CONFIG")),
    )
    path = (
        Path(run_dir) if run_dir is not None else reports_dir() / f"{tables.name}-{settings.name}"
    )
    if validation_fraction is None:
        validation_fraction = settings.validation_fraction
    with alone(path) if settings.is_chief() else nullcontext():
        began = time.perf_counter()
        check_target(path)
        plan = _plan(
            tables, settings, seed, holdout, holdout_fraction, holdout_seed, validation_fraction
        )
        earlier = None if start_from is None else load_run(start_from)
        if earlier:
            plan.config["start_from"] = earlier.info["files"]["weights.safetensors"]
        checkpoint = _checkpoint(path, plan)
        if resume and not checkpoint.exists() and is_run(path):
            return _complete(path, plan)
        log.info("training %s for %s on %s: %s", settings.name, path, tables.name, plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        job = Job(
            features=plan.features,
            learned=plan.rows.mapped(plan.learned, path.parent),
            chosen=plan.rows.take(plan.chosen),
            seed=seed,
            checkpoint=checkpoint,
            tensorboard=Path(tensorboard) / path.name if tensorboard else None,
            start_from=earlier,
        )
        if settings.is_chief():
            _begin(checkpoint, resume)
        prepared = time.perf_counter() - began
        trained = plan.recipe.fit(job)
        if settings.is_chief():
            _write(path, plan, trained, job, prepared)
            checkpoint.remove()  # not before the run is in its place
        settings.meet()  # the other workers may read it
        return load_run(path)


def _begin(checkpoint: Checkpoint, resume: bool) -> None:
    """Say how the training begins; without `resume` it begins without an earlier checkpoint."""
    if resume and checkpoint.exists():
        say(f"resuming from {checkpoint.folder}")
    elif resume:
        say(f"there is no checkpoint in {checkpoint.folder}; training from the beginning")
    elif checkpoint.exists():
        say(
            f"removing {checkpoint.folder}, the checkpoint of an interrupted training; --resume "
            "would have continued it"
        )
    if not resume:
        checkpoint.remove()  # what a killed process has left of one, too


class _Plan(NamedTuple):
    """What is to be trained on what: all rows, and the numbers of those of each part."""

    recipe: Recipe
    tables: Tables
    features: Features
    rows: Rows
    learned: RowNumbers
    chosen: RowNumbers
    test: RowNumbers
    config: dict[str, Any]
    data_sha256: str

    def __str__(self) -> str:
        return (
            f"rows to learn from {len(self.learned)}, validation {len(self.chosen)}, test "
            f"{len(self.test)}, seed {self.config['seed']}"
        )


def _plan(
    tables: Tables,
    recipe: Recipe,
    seed: int,
    holdout: str | npt.ArrayLike,
    holdout_fraction: float,
    holdout_seed: int,
    validation_fraction: float,
) -> _Plan:
    """Check, encode and split the data; arguments as in `train`."""
    tables = validate_tables(tables)
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    given, test = split(tables.ratings, holdout, holdout_fraction, holdout_seed)
    learned, chosen = validation_split(given, validation_fraction, seed)
    recipe = recipe.starting_at(float(rows.rating[learned].mean(dtype=np.float64)))
    config = {
        "recipe": recipe.name,
        **{k: v for k, v in dataclasses.asdict(recipe).items() if k != "name"},
        "seed": seed,
        **holdout_record(holdout, holdout_seed, test, len(rows.rating)),
        "validation_fraction": validation_fraction,
    }
    data_sha256 = _checksum(features, rows, learned, chosen)
    return _Plan(recipe, tables, features, rows, learned, chosen, test, config, data_sha256)


def _write(path: Path, plan: _Plan, trained: Trained, job: Job, prepare_seconds: float) -> None:
    """Complete the model with what the recipe does not train, measure it, and write the run.

    Args:
        path: the folder.
        plan: what was trained on.
        trained: what came out.
        job: what it had to do.
        prepare_seconds: until the training.
    """
    began = time.perf_counter()
    given = plan.rows.take(np.sort(np.concatenate([plan.learned, plan.chosen])))
    model = complete(trained, plan.features, job.learned, given, job.seed)
    parts = {"train": plan.learned, "validation": plan.chosen, "test": plan.test}
    codes = np.zeros(len(plan.rows.rating), dtype=np.int8)
    for part, numbers in parts.items():
        codes[numbers] = PARTS.index(part)
    seconds = dict(trained.seconds)
    metrics = {part: _errors(model, plan.rows, parts[part]) for part in ("validation", "test")}
    pictures = {name: offer("pictures", name)(trained.history) for name in offered("pictures")}
    info = {
        "config": plan.config,
        "data_sha256": plan.data_sha256,
        "rows": {part: len(numbers) for part, numbers in parts.items()},
        "parameters": sum(weight.size for weight in trained.weights.values()),
        "best_epoch": trained.best_epoch,
        "metrics": metrics,
        "seconds": {
            "prepare": prepare_seconds + seconds.pop("build"),
            **seconds,
            "finish": time.perf_counter() - began,
        },
        "versions": plan.recipe.versions(),
    }
    write_run(
        path,
        info=info,
        tables=plan.tables,
        part=pd.Categorical.from_codes(codes, list(PARTS)),
        features=plan.features,
        trained=trained,
        model=model,
        plots={f"{name}.png": picture for name, picture in pictures.items() if picture},
    )


def _errors(model: Model, rows: Rows, part: RowNumbers) -> dict[str, float] | None:
    if not len(part):
        return None
    given = rows.take(part)
    scores = pair_scores(model.users, model.films, given.user_idx, given.movie_idx)
    return rating_metrics(given.rating, np.clip(scores, rows.rating.min(), rows.rating.max()))


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


def train_beside(
    run: Run, recipe: str = "best", run_dir: str | os.PathLike[str] | None = None
) -> Run:
    """Another recipe on the data of a run, with the same rows held out, to be compared with it.

    It is trained where it is not there yet, or where what is there has another recipe, other data
    or other held-out rows.

    Args:
        run: of any recipe.
        recipe: the other's name.
        run_dir: where the other run is or comes to be. None: beside the run, in a folder of the
            recipe's name for a run in `model`, as the notebooks have it, else `NAME-RECIPE`.

    Raises:
        InputError: a folder that is taken by something else, or that another process writes to.
    """
    name = recipe if run.path.name == "model" else f"{run.path.name}-{recipe}"
    path = Path(run_dir) if run_dir else run.path.with_name(name)
    held_out = run.part == "test"
    if is_run(path):
        there = load_run(path)
        names = ("users", "movies", "ratings")
        same = [getattr(there.tables, name).equals(getattr(run.tables, name)) for name in names]
        same += [there.config["recipe"] == recipe, np.array_equal(there.part == "test", held_out)]
        if all(same):
            return there
    holdout = np.flatnonzero(held_out) if held_out.any() else "none"
    return train(run.tables, recipe, run.config["seed"], path, holdout=holdout)


def _checkpoint(path: Path, plan: _Plan) -> Checkpoint:
    """The checkpoint of a run, with all that its numbers depend on, one setting an entry."""
    settings = {k: v for k, v in plan.config.items() if k != "network"}
    settings |= plan.config.get("network", {}) | {"data_sha256": plan.data_sha256}
    settings |= {"movierec": version("movierec")} | plan.recipe.versions()
    return Checkpoint(checkpoint_folder(path), settings)


def _checksum(features: Features, rows: Rows, *parts: RowNumbers) -> str:
    """SHA-256 of what a training learns from: the encoded tables and the rows of each part."""
    digest = hashlib.sha256(json.dumps([features.genres, features.words]).encode())
    fields = [*features.user_fields.values(), *features.movie_fields.values(), features.years]
    for array in (features.users.ids, features.movies.ids, *fields, *rows, *parts):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _complete(path: Path, plan: _Plan) -> Run:
    """The complete run in a folder, if it is the one that these settings and data would make."""
    run = load_run(path)
    wanted = json.loads(json.dumps(plan.config))  # as run.json holds it
    if run.config != wanted or run.info.get("data_sha256") != plan.data_sha256:
        raise InputError(
            f"{path} holds a complete run of other settings or other data, and there is nothing to "
            "resume; train without --resume to replace it, or name another folder"
        )
    say(f"{path} is already complete; nothing to resume")
    return run
