"""The whole line in one call: tables to features to a trained model to a run folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

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
from movierec.models.model import complete
from movierec.models.recipe import Job, Recipe, Trained, resolve_recipe
from movierec.paths import reports_dir
from movierec.progress import say
from movierec.registry import offer, offered
from movierec.runs import PARTS, Run, check_target, encode_rows, is_run, load_run, write_run
from movierec.spread import spread_over
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
    workers: int = 1,
    scheduler: str | None = None,
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
        holdout, holdout_fraction, holdout_seed: the rows held out for the test: `splits.split`.
        validation_fraction: part of the training rows that chooses the best state; the recipe's
            when not given: 0.02 for most networks, 0 for those that choose nothing.
        epochs, batch_size, learning_rate, patience: in place of the recipe's, if it has them.
        resume: continue an interrupted training of the same settings and data; where there is
            none, begin; where the run is complete, return it. Without it, what is left of an
            interrupted training is removed.
        tensorboard: a folder for TensorBoard logs, in which each run has a folder of its name.
        start_from: an earlier run, of as many ratings, users and films or fewer, whose network the
            training starts at.
        workers: processes on this machine that "best" is trained by; several need the extra
            `batch`. One has a thread for each core.
        scheduler: address of a Dask cluster, in place of `workers`.

    Returns:
        The run, as `load_run` reads it.

    Raises:
        InputError: a setting out of range, tables that break the schema, a folder that is taken or
            being written to, a training that diverged, or one to resume that had other settings or
            other data.

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
        cluster=workers != 1 or scheduler is not None,
    )
    path = Path(run_dir or reports_dir() / f"{tables.name}-{settings.name}")
    if validation_fraction is None:
        validation_fraction = settings.validation_fraction
    with (
        alone(path) if settings.is_chief() else nullcontext(),
        spread_over(workers, scheduler) as spread,
    ):
        began = time.perf_counter()
        check_target(path)
        tables = validate_tables(tables)
        features = Features.fit(tables)
        rows = encode_rows(tables, features)
        given, test = split(tables.ratings, holdout, holdout_fraction, holdout_seed)
        learned, chosen = validation_split(given, validation_fraction, seed)
        parts = dict(zip(PARTS, (learned, chosen, test), strict=True))
        settings = settings.starting_at(float(rows.rating[learned].mean(dtype=np.float64)))
        config = {
            "recipe": settings.name,
            **{k: v for k, v in dataclasses.asdict(settings).items() if k != "name"},
            "seed": seed,
            **holdout_record(holdout, holdout_seed, test, len(rows.rating)),
            "validation_fraction": validation_fraction,
        }
        earlier = None if start_from is None else load_run(start_from)
        if earlier:
            config["start_from"] = earlier.info["files"]["weights.safetensors"]
        info = {"config": config, "data_sha256": _checksum(features, rows, learned, chosen)}
        # all that the numbers depend on, one setting an entry
        counts = config | config.get("network", {}) | {"data_sha256": info["data_sha256"]}
        counts |= {"movierec": version("movierec")} | settings.versions()
        counts.pop("network", None)
        checkpoint = Checkpoint(checkpoint_folder(path), counts)
        if resume and not checkpoint.exists() and is_run(path):
            return _complete(path, info)
        info["rows"] = {part: len(numbers) for part, numbers in parts.items()}
        log.info("training %s for %s: rows %s, seed %d", settings.name, path, info["rows"], seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        job = Job(
            features=features,
            learned=rows.take(learned),
            chosen=rows.take(chosen),
            seed=seed,
            checkpoint=checkpoint,
            tensorboard=Path(tensorboard) / path.name if tensorboard else None,
            start_from=earlier,
            spread=spread,
        )
        if settings.is_chief():
            _begin(checkpoint, resume)
        prepared = time.perf_counter() - began
        trained = settings.fit(job)
        if settings.is_chief():
            data = tables, rows, parts
            _write(path, info | {"versions": settings.versions()}, *data, job, trained, prepared)
            checkpoint.remove()  # not before the run is in its place
        settings.meet()  # the other workers may read it
        return load_run(path)


def _begin(checkpoint: Checkpoint, resume: bool) -> None:
    """Say how the training begins; without `resume` it begins without an earlier checkpoint."""
    there, folder = checkpoint.exists(), checkpoint.folder
    if resume and there:
        say(f"resuming from {folder}")
    elif resume:
        say(f"there is no checkpoint in {folder}; training from the beginning")
    elif there:
        say(f"removing {folder}, of an interrupted training that --resume would have continued")
    if not resume:
        checkpoint.remove()  # what a killed process has left of one, too


def _write(
    path: Path,
    info: dict[str, Any],
    tables: Tables,
    rows: Rows,
    parts: dict[str, RowNumbers],
    job: Job,
    trained: Trained,
    prepared: float,
) -> None:
    """Complete the model with what the recipe does not train, measure it, and write the run.

    `info` is what `run.json` holds, as far as it is known before the training; `parts` are the row
    numbers of each of `PARTS`, and `prepared` the seconds until the training.
    """
    began = time.perf_counter()
    model = complete(trained, job.features, job.learned, job.chosen, job.seed)
    part = np.zeros(len(rows.rating), np.int8)
    metrics: dict[str, Any] = {}
    for name in ("validation", "test"):
        part[parts[name]], held_out = PARTS.index(name), rows.take(parts[name])
        stars = pair_scores(model.users, model.films, held_out.user_idx, held_out.movie_idx)
        stars = np.clip(stars, rows.rating.min(), rows.rating.max())
        metrics[name] = rating_metrics(held_out.rating, stars) if len(stars) else None
    pictures = {name: offer("pictures", name)(trained.history) for name in offered("pictures")}
    spent, seconds = trained.seconds, {"prepare": prepared + trained.seconds["build"]}
    seconds |= {"compile": spent["compile"], "train": spent["train"]}
    found = {
        "parameters": sum(weight.size for weight in trained.weights.values()),
        "best_epoch": trained.best_epoch,
        "metrics": metrics,
        "seconds": seconds | {"finish": time.perf_counter() - began},
    }
    write_run(
        path,
        info=info | found,
        tables=tables,
        part=pd.Categorical.from_codes(part, PARTS),
        features=job.features,
        trained=trained,
        model=model,
        plots={f"{name}.png": picture for name, picture in pictures.items() if picture},
    )


def _checksum(features: Features, rows: Rows, *parts: RowNumbers) -> str:
    """SHA-256 of what a training learns from: the encoded tables and the rows of each part."""
    digest = hashlib.sha256(json.dumps([features.genres, features.words]).encode())
    fields = [*features.user_fields.values(), *features.movie_fields.values(), features.years]
    for array in (features.users.ids, features.movies.ids, *fields, *rows, *parts):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _complete(path: Path, info: Mapping[str, Any]) -> Run:
    """The complete run in a folder, if it is the one that these settings and data would make."""
    run = load_run(path)
    wanted = json.loads(json.dumps(info))  # as run.json holds it
    if any(run.info.get(name) != value for name, value in wanted.items()):
        raise InputError(
            f"{path} holds a complete run of other settings or other data, and there is nothing to "
            "resume; train without --resume to replace it, or name another folder"
        )
    say(f"{path} is already complete; nothing to resume")
    return run
