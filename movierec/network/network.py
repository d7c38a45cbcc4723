"""The network from encoded rows to its vectors, and back from a run folder."""

from __future__ import annotations

import operator
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from movierec.data.features import Features
from movierec.errors import InputError
from movierec.models.recipe import Job, Trained
from movierec.network import workers
from movierec.network.fitting import fit
from movierec.network.settings import NetworkConfig, Training
from movierec.network.spectral import Matrix, leading_factors, start_at
from movierec.network.towers import TwoTower, all_vectors
from movierec.progress import OnEpoch, progress, say
from movierec.runs import Run
from movierec.vectors import Rows


def train_network(recipe: Training, job: Job, teacher: Trained | None = None) -> Trained:
    """Train a network, alone or as one of several workers.

    Args:
        recipe: how; its network starts as it says.
        job: what to learn from.
        teacher: a model at whose leading part the network starts instead.

    Raises:
        InputError, DivergedError, WorkerLostError: as `fitting.fit` and `workers.workers`.
    """
    began = time.perf_counter()
    if (count := workers.worker_count()) > 1:
        say(f"waiting for all {count} workers, for {workers.START_SECONDS} seconds at most")
    with workers.workers():
        chief = workers.is_chief()
        workers.check_agreement("settings and data, here as a checksum", job.checkpoint.checksum)
        model = started_network(job.features, job.learned, recipe, job.seed)
        if teacher:
            start_at(model, teacher, job.learned, job.seed)
        if job.start_from:
            carry_over(model, job.features, job.start_from)
        built = time.perf_counter() - began
        log = _tensorboard_log(job.tensorboard) if job.tensorboard and chief else None
        with progress(silent=not chief) as (show_epoch, on_progress):

            def on_epoch(record: dict[str, float]) -> None:
                show_epoch(record)
                if log:
                    log(record)

            rows = job.learned, job.chosen
            result = fit(model, *rows, recipe, job.seed, on_epoch, on_progress, job.checkpoint)
    users, movies = all_vectors(model)
    return Trained(
        weights={variable.path: variable.numpy() for variable in model.trainable_variables},
        users=users,
        movies=movies,
        history=result.history,
        best_epoch=result.best_epoch,
        seconds={"build": built, **result.seconds},
    )


def load_network(run: Run) -> TwoTower:
    """Rebuild a run's network from its settings, and give it its weights.

    Raises:
        InputError: a recipe without a network, or weights that do not fit the network that the
            settings describe.
    """
    if "network" not in run.config:
        raise InputError(
            f"{run.path} was trained with the recipe {run.config['recipe']!r}, which has no "
            "network; train one with --recipe fast"
        )
    network = run.config["network"]
    # before anything is built: a network of a made-up size could fill the memory
    largest = max((max(weight.shape, default=1) for weight in run.weights.values()), default=0)
    try:
        windows = tuple(map(operator.index, network["windows"]))
        config = NetworkConfig(**network | {"windows": windows})
        sizes = [*windows, *(value for value in network.values() if type(value) is int)]
        if max(sizes, default=0) > largest or len(windows) > len(run.weights):
            raise ValueError(f"larger than {largest}, the largest of its weights")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the settings of {run.path} describe no network that its weights could be of; train "
            "it again"
        ) from error
    model = TwoTower(run.features, config, run.config["seed"])
    expected = {variable.path: tuple(variable.shape) for variable in model.trainable_variables}
    found = {name: weight.shape for name, weight in run.weights.items()}
    if expected != found:
        stray = sorted(set(expected.items()) ^ set(found.items()))[0]
        raise InputError(f"the weights of {run.path} do not fit its network, at {stray[0]}")
    for variable in model.trainable_variables:
        variable.assign(run.weights[variable.path])
    return model


def untrained_network(run: Run) -> TwoTower:
    """A run's network as it was before its first step.

    Args:
        run: of a recipe with a network, that did not start from another run.

    Raises:
        InputError: as `load_network`.
    """
    recipe = Training(load_network(run).config, start_at_factors=run.config["start_at_factors"])
    return started_network(run.features, run.rows("train"), recipe, run.config["seed"])


def carry_over(model: TwoTower, features: Features, run: Run) -> None:
    """Give a network, in place, what the network of a run has learned.

    Users, films, genres and words of the run take their embeddings with them, whatever rows they
    stand in; those that the run does not know keep the values at which they start.

    Args:
        model: a network of the dimensions of the run's.
        features: its encodings.
        run: what it takes over.

    Raises:
        InputError: a run without a network, or of other dimensions.
    """
    old = run.features
    names: dict[str, tuple[Any, Any]] = {
        "uid_embed_layer": (old.users.ids, features.users.ids),
        "movie_id_embed_layer": (old.movies.ids, features.movies.ids),
        "movie_categories_embed_layer": (old.genres, features.genres),
        "movie_title_embed_layer": (old.words, features.words),
    }
    weights = {variable.path: variable for variable in load_network(run).trainable_variables}
    for variable in model.trainable_variables:
        value = weights[variable.path].numpy() if variable.path in weights else None
        layer = variable.path.split("/")[0]
        if value is not None and layer in names and value.shape[1:] == variable.shape[1:]:
            grown = variable.numpy()
            _, before, now = np.intersect1d(*names[layer], return_indices=True)
            grown[now] = value[before]
            value = grown
        if value is None or value.shape != variable.shape:
            raise InputError(
                f"the network of {run.path} has other dimensions than the one to be trained, at "
                f"{variable.path}; start from a run of the same network, or at random"
            )
        variable.assign(value)


def started_network(features: Features, learned: Rows, recipe: Training, seed: int) -> TwoTower:
    """A network as its recipe has it start."""
    config, sizes = recipe.network, features.sizes
    starts: list[Matrix] = []
    if recipe.start_at_factors:
        found = leading_factors(learned, sizes.users, sizes.movies, config.embed_dim, seed)
        starts = [np.float32(recipe.start_at_factors) * factors for factors in found]
    return TwoTower(features, config, seed, *starts)


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
