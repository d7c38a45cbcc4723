"""The whole line in one call: tables to features to a trained network to a run folder."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from movierec import plots
from movierec.checkpoints import Checkpoint, checkpoint_folder
from movierec.datasets import Tables, validate_tables
from movierec.distribution import (
    START_SECONDS,
    check_agreement,
    is_chief,
    told_by_all,
    worker_count,
    workers,
)
from movierec.errors import DivergedError, InputError
from movierec.evaluation import rating_metrics
from movierec.features import Features
from movierec.model import TwoTower, all_vectors
from movierec.paths import reports_dir
from movierec.recipes import NetworkConfig, Recipe, resolve_recipe
from movierec.runs import Run, check_target, encode_rows, is_run, load_run, write_run
from movierec.splits import RowNumbers, split, validation_split
from movierec.training import OnEpoch, Progress, fit
from movierec.vectors import Rows, pair_scores

PROGRESS_VARIABLE = "MOVIEREC_PROGRESS"  # "lines": one line an epoch; "off": nothing


def train(
    tables: Tables,
    recipe: str | Recipe = "classic",
    seed: int = 0,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    holdout: str = "random",
    holdout_fraction: float = 0.1,
    holdout_seed: int = 0,
    validation_fraction: float = 0.05,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
    resume: bool = False,
    tensorboard: str | os.PathLike[str] | None = None,
) -> Run:
    """Train a network on tables and write its run folder.

    While it trains, a checkpoint and the history so far stand beside the run folder, in
    `RUN_DIR.partial`. If the process is killed, the same call with `resume=True` continues from
    there and ends with exactly the numbers of a training that was never interrupted.

    Args:
        tables: from `load_dataset`, or of your own.
        recipe: "classic", "fast", or a `Recipe` of your own.
        seed: of the initial weights, the validation rows, the order of the rows and the dropout.
            The same seed on the same machine gives the same run.
        run_dir: where to write; `reports/DATASET-RECIPE` when not given. An earlier run there is
            replaced.
        holdout, holdout_fraction, holdout_seed: which rows are held out for the test; see
            `splits.split`.
        validation_fraction: part of the training rows that chooses the best state.
        epochs, batch_size, learning_rate, patience: in place of the recipe's.
        resume: continue an interrupted training of the same settings and data. Where there is
            none, train from the beginning; where the run is complete, return it. Otherwise the
            checkpoint of an interrupted training is removed.
        tensorboard: a folder for TensorBoard logs, in which each run has a folder of its name.

    Returns:
        The run, as `load_run` reads it.

    Raises:
        InputError: a setting out of range, tables that break the schema, a folder that is taken,
            a training that diverged, or one to resume that had other settings or other data.

    Example:
        >>> run = train(load_dataset("sample"), recipe="fast", run_dir="reports/sample")
        >>> run.recommender.for_user(1, k=5)
    """
    began = time.perf_counter()
    settings = resolve_recipe(recipe, epochs, batch_size, learning_rate, patience)
    path = (
        Path(run_dir) if run_dir is not None else reports_dir() / f"{tables.name}-{settings.name}"
    )
    check_target(path)
    tables = validate_tables(tables)
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    given, test = split(tables.ratings, holdout, holdout_fraction, holdout_seed)
    learned, chosen = validation_split(given, validation_fraction, seed)
    settings = _with_start(settings, rows.rating[learned])
    drawn = holdout == "random"
    config = {
        "recipe": settings.name,
        **{k: v for k, v in dataclasses.asdict(settings).items() if k != "name"},
        "seed": seed,
        "holdout": holdout,
        "holdout_fraction": len(test) / len(rows.rating),  # of the rows, as it came to be
        "holdout_seed": holdout_seed if drawn else None,
        "validation_fraction": validation_fraction,
    }
    data_sha256 = _checksum(features, rows, learned, chosen)
    checkpoint = _checkpoint(path, config, data_sha256)
    if resume and not checkpoint.exists() and is_run(path):
        return _complete(path, config, data_sha256)
    if worker_count() > 1:
        _say(f"waiting for all {worker_count()} workers, for {START_SECONDS} seconds at most")
    with workers():
        chief = is_chief()
        if chief:
            _say_how_it_begins(checkpoint, resume)
            if not resume:
                checkpoint.remove()
        check_agreement("settings and data, here as a checksum", checkpoint.checksum)
        model = TwoTower(features, settings.network, seed)
        prepared = time.perf_counter()
        log = _tensorboard_log(Path(tensorboard) / path.name) if tensorboard and chief else None
        with _progress(silent=not chief) as (show_epoch, on_progress):

            def on_epoch(record: dict[str, float]) -> None:
                show_epoch(record)
                if log:
                    log(record)

            result = fit(
                model,
                rows.take(learned),
                rows.take(chosen),
                settings,
                seed,
                on_epoch,
                on_progress,
                checkpoint,
            )
        if not chief:
            told_by_all(0)  # the chief has written the run
            return load_run(path)
    fitted = time.perf_counter()
    users, movies = all_vectors(model)
    lowest, highest = rows.rating.min(), rows.rating.max()

    def error_on(part: RowNumbers) -> dict[str, float] | None:
        if not len(part):
            return None
        given = rows.take(part)
        scores = pair_scores(users, movies, given.user_idx, given.movie_idx)
        return rating_metrics(given.rating, np.clip(scores, lowest, highest))

    part = np.full(len(rows.rating), "train", dtype="U10")
    part[chosen], part[test] = "validation", "test"
    info = {
        "config": config,
        "data_sha256": data_sha256,
        "rows": {"train": len(learned), "validation": len(chosen), "test": len(test)},
        "parameters": model.count_params(),
        "best_epoch": result.best_epoch,
        "metrics": {"validation": error_on(chosen), "test": error_on(test)},
        "seconds": {
            "prepare": prepared - began,
            **result.seconds,
            "finish": time.perf_counter() - fitted,
        },
    }
    run = write_run(
        path,
        info=info,
        tables=tables,
        part=part,
        features=features,
        weights={variable.path: variable.numpy() for variable in model.trainable_variables},
        vectors={"user": users, "movie": movies},
        history=result.history,
        plots={"loss.png": _loss_picture(result.history)},
    )
    checkpoint.remove()  # not before the run is in its place
    with workers():
        told_by_all(0)  # the other workers may read it
    return run


def load_network(run: Run) -> TwoTower:
    """Rebuild a run's network from its settings, and give it its weights.

    Raises:
        InputError: weights that do not fit the network that the settings describe.
    """
    network = dict(run.config["network"])
    config = NetworkConfig(**network | {"windows": tuple(network["windows"])})
    model = TwoTower(run.features, config, run.config["seed"])
    expected = {variable.path: tuple(variable.shape) for variable in model.trainable_variables}
    found = {name: weight.shape for name, weight in run.weights.items()}
    if expected != found:
        stray = sorted(set(expected.items()) ^ set(found.items()))[0]
        raise InputError(f"the weights of {run.path} do not fit its network, at {stray[0]}")
    for variable in model.trainable_variables:
        variable.assign(run.weights[variable.path])
    return model


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


def study(
    tables: Tables,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    recipe: str | Recipe = "fast",
    epochs: int = 2,
    max_rows: int = 100_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Short trainings for every pair of a batch size and a learning rate.

    Every training starts from the same weights and learns from the same rows. Test rows are held
    out as by default in `train`, and take no part.

    Args:
        tables: what to train on.
        batch_sizes, learning_rates: the values to try.
        recipe: everything else.
        epochs: passes over the rows in each training.
        max_rows: where there are more training rows, so many of them are taken, to bound the time.
        seed: as in `train`.

    Returns:
        A row a training and epoch: `batch_size`, `learning_rate` (the one tried), `steps` (an
        epoch), and `epoch`, `train_loss`, `val_loss`, `seconds` as in
        `training.Fit.history`; the losses of a pair that diverged are infinite.

    Raises:
        InputError: a setting out of range.
    """
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    learned, chosen = validation_split(split(tables.ratings)[0], seed=seed)
    learned = learned[:max_rows]
    frames = []
    for batch_size, learning_rate in itertools.product(batch_sizes, learning_rates):
        settings = resolve_recipe(recipe, epochs, batch_size, learning_rate)
        settings = _with_start(settings, rows.rating[learned])
        model = TwoTower(features, settings.network, seed)
        try:
            history = fit(model, rows.take(learned), rows.take(chosen), settings, seed).history
        except DivergedError:  # a result like any other, of a learning rate that is too high
            diverged = {
                "epoch": epochs,
                "train_loss": np.inf,
                "val_loss": np.inf,
                "seconds": np.nan,
            }
            history = pd.DataFrame([diverged])
        tried = {"learning_rate": learning_rate, "steps": -(-len(learned) // batch_size)}
        frames.append(history.assign(batch_size=batch_size, **tried))
    columns = ["batch_size", "learning_rate", "steps", "epoch", "train_loss", "val_loss", "seconds"]
    return pd.concat(frames, ignore_index=True)[columns]


def _with_start(settings: Recipe, rating: npt.NDArray[np.float32]) -> Recipe:
    """The recipe with its network starting at the mean of the training ratings, if it asks so."""
    if not settings.start_at_mean:
        return settings
    mean = float(rating.mean(dtype=np.float64))
    network = dataclasses.replace(settings.network, start_rating=mean)
    return dataclasses.replace(settings, network=network)


def _checkpoint(path: Path, config: dict[str, Any], data_sha256: str) -> Checkpoint:
    """The checkpoint of a run, with all that its numbers depend on, one setting an entry."""
    settings = {k: v for k, v in config.items() if k != "network"}
    settings |= config["network"] | {"data_sha256": data_sha256}
    settings |= {package: version(package) for package in ("movierec", "tensorflow", "keras")}
    return Checkpoint(checkpoint_folder(path), settings)


def _checksum(features: Features, rows: Rows, *parts: RowNumbers) -> str:
    """SHA-256 of what a training learns from: the encoded tables and the rows of each part."""
    digest = hashlib.sha256(json.dumps([features.genres, features.words]).encode())
    fields = [*features.user_fields.values(), *features.movie_fields.values()]
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
    _say(f"{path} is already complete; nothing to resume")
    return run


def _say_how_it_begins(checkpoint: Checkpoint, resume: bool) -> None:
    if resume and checkpoint.exists():
        _say(f"resuming from {checkpoint.folder}")
    elif resume:
        _say(f"there is no checkpoint in {checkpoint.folder}; training from the beginning")
    elif checkpoint.exists():
        _say(
            f"removing {checkpoint.folder}, the checkpoint of an interrupted training; --resume "
            "would have continued it"
        )


def _say(text: str) -> None:
    """A line beside the progress, unless that is off."""
    if os.environ.get(PROGRESS_VARIABLE) != "off":
        print(text, file=_progress_stream(), flush=True)


def _progress_stream() -> TextIO:
    """The standard output in a notebook; elsewhere the error, which leaves it to results."""
    return sys.stdout if _in_notebook() else sys.stderr


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def _tensorboard_log(folder: Path) -> OnEpoch:
    """A callback for `fit` that logs each epoch for TensorBoard.

    `tf.summary.scalar` would need the package tensorboard, which only reading the logs does.
    """
    writer = tf.summary.create_file_writer(str(folder))

    def log(record: dict[str, float]) -> None:
        names = ("train_loss", "val_loss", "learning_rate")
        values = [{"tag": name, "simple_value": record[name]} for name in names]
        with writer.as_default():
            summary = tf.compat.v1.Summary(value=values).SerializeToString()
            tf.summary.experimental.write_raw_pb(summary, step=int(record["epoch"]))
        writer.flush()

    return log


@contextmanager
def _progress(silent: bool = False) -> Iterator[tuple[OnEpoch, Progress]]:
    """A live bar where a person watches, one line an epoch elsewhere; callbacks for `fit`.

    `$MOVIEREC_PROGRESS` ("bar", "lines" or "off") overrules.
    """
    in_notebook = _in_notebook()
    watched = in_notebook or sys.stderr.isatty()
    mode = os.environ.get(PROGRESS_VARIABLE) or ("bar" if watched else "lines")
    mode = "off" if silent else mode

    def show_line(record: dict[str, float]) -> None:
        print(
            f"epoch {record['epoch']:2.0f}  train {record['train_loss']:.4f}  "
            f"validation {record['val_loss']:.4f}  {record['seconds']:6.1f} s",
            file=_progress_stream(),
            flush=True,
        )

    if mode != "bar":
        yield (show_line if mode == "lines" else lambda record: None), lambda *state: None
        return
    with tqdm(unit="step", desc="training") as bar:

        def show_steps(done: int, total: int, loss: float) -> None:
            if bar.total is None:  # the first block, or an earlier process, tells no speed
                bar.total, bar.initial, bar.n = total, done, done
            bar.set_postfix(bar_postfix | {"loss": f"{loss:.4f}"}, refresh=False)
            bar.update(done - bar.n)

        def show_epoch(record: dict[str, float]) -> None:
            bar_postfix["validation"] = f"{record['val_loss']:.4f}"

        bar_postfix: dict[str, str] = {}
        yield show_epoch, show_steps


def _loss_picture(history: Any) -> bytes:
    figure = Figure(figsize=(7, 4), layout="constrained")
    plots.loss_curves(history, figure.subplots())
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120)
    return sink.getvalue()
