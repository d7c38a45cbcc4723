"""The training loop: recipes, the step, the best state. It knows nothing of films.

Anything with `user_vectors(idx)`, `movie_vectors(idx, training)` and Keras variables can be trained
here. A training row is two row numbers and a target.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from movierec.checkpoints import Arrays, Checkpoint
from movierec.errors import InputError
from movierec.model import NetworkConfig, TwoTower, all_vectors
from movierec.vectors import Rows, pair_scores


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it.

    Attributes:
        name: what it is called.
        network: the network's dimensions and initial values.
        epochs: passes over the training rows.
        batch_size: rows a step.
        learning_rate: Adam's, at its highest.
        schedule: "constant", or "cosine": warmed up over a twentieth of the steps, then down to
            zero along a half cosine.
        share_towers: whether a user or film that stands in several rows of a batch goes through
            its tower once (in training its rows then share one dropout mask).
        patience: epochs without a better validation loss after which the training stops; None:
            never. A cosine schedule is made for all epochs, and is then cut short.
    """

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 5
    batch_size: int = 256
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    share_towers: bool = False
    patience: int | None = None


RECIPES = {
    "classic": Recipe("classic", NetworkConfig(mask_padding=False)),
    "fast": Recipe(
        "fast", epochs=8, batch_size=4096, learning_rate=3e-3, schedule="cosine", share_towers=True
    ),
}


class Fit(NamedTuple):
    """What a training left: the model holds the best state.

    Attributes:
        history: a row an epoch: `epoch` (from 1), `train_loss` (mean over the epoch, with
            dropout), `val_loss`, `learning_rate` (at its end), `seconds` (since the first step).
        best_epoch: the epoch whose state was kept.
        seconds: `compile` (tracing the step) and `train` (all epochs with their validations).
    """

    history: pd.DataFrame
    best_epoch: int
    seconds: dict[str, float]


OnEpoch = Callable[[dict[str, float]], None]  # an epoch's row of the history
Progress = Callable[[int, int, float], None]  # steps done, steps in all, last mean loss
ROWS_PER_CALL = 32_768  # rows trained on between two looks at the progress
DIVERGED = 2  # times the untrained network's loss, over an epoch after the first: it will not mend
CHECKPOINT_SECONDS = 60  # at most so long a work within an epoch is lost when the process is killed


@dataclass
class _State:
    """How far a training has come, apart from its arrays; the clock decides nothing here."""

    block: int = 0  # blocks done of the epoch under way
    steps: int = 0  # steps done since the beginning
    loss_sum: float = 0.0  # over the rows of these blocks
    seconds: float = 0.0  # since the first step, without the time between two processes
    first_loss: float = float("nan")  # the first step's: that of the untrained network
    best_loss: float = float("inf")
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: TwoTower,
    train: Rows,
    validation: Rows,
    recipe: Recipe,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    on_progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Fit:
    """Train a model by a recipe, and leave it in its best state.

    Every epoch visits the training rows in a new order that follows from the seed and the epoch.
    The state with the lowest validation loss is kept; without validation rows, the last.

    With a checkpoint the training continues from what that holds, and ends with exactly the
    numbers of a training that was never interrupted.

    Args:
        model: the network to train, changed in place.
        train: training rows.
        validation: rows that choose the best state; may be empty.
        recipe: epochs, batch size, learning rate and so on.
        seed: of the order of the rows.
        on_epoch: called after each epoch with its row of the history.
        on_progress: called some times a second with steps done, steps in all, and the loss.
        checkpoint: read at the start, written after each epoch and within long ones.

    Raises:
        InputError: no training rows, a loss that grew out of hand or is no longer a number, or a
            checkpoint that belongs to another training or cannot be written.
    """
    rows, batch = len(train.rating), min(recipe.batch_size, len(train.rating))
    if rows == 0:
        raise InputError("no training rows; give more ratings or hold out fewer")
    total = recipe.epochs * -(-rows // batch)
    optimizer = keras.optimizers.Adam(_schedule(recipe, total))
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]  # the dropout's random state is one
    at, best = _State(), list[Any]()
    if checkpoint and (stored := checkpoint.read()):
        at, best = _restore(*stored, variables)
    began = time.perf_counter()
    train_steps = _train_steps(model, optimizer, recipe.share_towers)
    compiled = saved = time.perf_counter()
    earlier = at.seconds

    def save() -> None:
        nonlocal saved
        if checkpoint:
            checkpoint.write(asdict(at), _arrays(variables, best))
            saved = time.perf_counter()

    while (epoch := len(at.history) + 1) <= recipe.epochs and not _out_of_patience(at, recipe):
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        for block in _blocks(train.take(order), batch)[at.block :]:
            losses = train_steps(*map(tf.constant, block)).numpy()
            at.block, at.steps = at.block + 1, at.steps + len(losses)
            at.loss_sum += float(losses.sum()) * block.rating.shape[1]
            at.seconds = earlier + time.perf_counter() - compiled
            if at.steps == len(losses):
                at.first_loss = float(losses[0])
            if not np.isfinite(losses).all():
                raise InputError(
                    f"the loss became {losses[-1]} in epoch {epoch}, step {at.steps} of {total}; "
                    f"lower the learning rate (it was {recipe.learning_rate:g})"
                )
            if on_progress:
                on_progress(at.steps, total, float(losses.mean()))
            if time.perf_counter() - saved > CHECKPOINT_SECONDS:
                save()
        record = {
            "epoch": epoch,
            "train_loss": at.loss_sum / rows,
            "val_loss": loss(model, validation) if len(validation.rating) else float("nan"),
            "learning_rate": float(optimizer.learning_rate),
            "seconds": earlier + time.perf_counter() - compiled,
        }
        if epoch > 1 and record["train_loss"] > DIVERGED * at.first_loss:
            raise InputError(
                f"the training diverged: the loss began at {at.first_loss:.3g} and was "
                f"{record['train_loss']:.3g} over epoch {epoch}; lower the learning rate (it was "
                f"{recipe.learning_rate:g})"
            )
        at.history.append(record)
        at.block, at.loss_sum, at.seconds = 0, 0.0, record["seconds"]
        if not record["val_loss"] >= at.best_loss:  # not a number, without validation: the last
            at.best_loss, at.best_epoch = record["val_loss"], epoch
            best = [variable.numpy() for variable in model.trainable_variables]
        if on_epoch:
            on_epoch(record)
        save()
    for variable, value in zip(model.trainable_variables, best, strict=True):
        variable.assign(value)
    seconds = {"compile": compiled - began, "train": at.seconds}
    return Fit(pd.DataFrame(at.history), at.best_epoch, seconds)


def _out_of_patience(at: _State, recipe: Recipe) -> bool:
    return recipe.patience is not None and len(at.history) - at.best_epoch >= recipe.patience


def loss(model: TwoTower, rows: Rows) -> float:
    """Mean squared error of the unclipped ratings, without dropout."""
    users, movies = all_vectors(model)
    scores = pair_scores(users, movies, rows.user_idx, rows.movie_idx)
    return float(np.mean((scores - rows.rating) ** 2, dtype=np.float64))


def _train_steps(model: TwoTower, optimizer: keras.optimizers.Optimizer, share: bool) -> Any:
    """The compiled function that takes the steps of a block of batches; returns their losses."""
    variables = model.trainable_variables

    def vectors(of: Callable[[Any], Any], idx: Any) -> Any:
        if not share:
            return of(idx)
        unique, place = tf.unique(idx)
        return tf.gather(of(unique), place)  # (B,) -> (unique, 200) -> (B, 200)

    def step(user_idx: Any, movie_idx: Any, rating: Any) -> Any:
        with tf.GradientTape() as tape:
            users = vectors(model.user_vectors, user_idx)
            movies = vectors(lambda idx: model.movie_vectors(idx, training=True), movie_idx)
            predicted = tf.reduce_sum(users * movies, axis=1)  # (B, 200) -> (B,)
            error = tf.reduce_mean(tf.square(predicted - rating))
        gradients = tape.gradient(error, [variable.value for variable in variables])
        # Adam moves every row at every step, also those that the batch does not touch, as the
        # document's TensorFlow 1 did; a sparse gradient would leave them where they are
        optimizer.apply([tf.convert_to_tensor(gradient) for gradient in gradients], variables)
        return error

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.float32),
        ]
    )
    def train_steps(user_idx: Any, movie_idx: Any, rating: Any) -> Any:
        losses = tf.TensorArray(tf.float32, tf.shape(rating)[0])
        for i in tf.range(tf.shape(rating)[0]):
            losses = losses.write(i, step(user_idx[i], movie_idx[i], rating[i]))
        return losses.stack()  # (steps,)

    train_steps.get_concrete_function()
    return train_steps


def _arrays(variables: list[Any], best: list[Any]) -> Arrays:
    """What a checkpoint keeps: all state now, and the weights of the best epoch so far.

    By position, since Keras numbers some names through the life of a process.
    """
    now = {f"now.{i}": np.asarray(variable) for i, variable in enumerate(variables)}
    return now | {f"best.{i}": value for i, value in enumerate(best)}


def _restore(
    counters: dict[str, Any], arrays: Arrays, variables: list[Any]
) -> tuple[_State, list[Any]]:
    """Put the variables back as `_arrays` found them; returns the rest and the best weights."""
    for i, variable in enumerate(variables):
        variable.assign(arrays[f"now.{i}"])
    kept = sum(name.startswith("best.") for name in arrays)
    return _State(**counters), [arrays[f"best.{i}"] for i in range(kept)]


def _blocks(rows: Rows, batch: int) -> list[Rows]:
    """Rows cut into blocks of whole batches, (steps, batch) each, and the rest as a last one."""
    per_call = max(ROWS_PER_CALL // batch, 1)
    whole = len(rows.rating) // batch * batch
    stops = [*range(0, whole, per_call * batch), whole]
    blocks = [_reshaped(rows, a, b, batch) for a, b in zip(stops, stops[1:], strict=False)]
    if whole < len(rows.rating):
        blocks.append(_reshaped(rows, whole, len(rows.rating), len(rows.rating) - whole))
    return blocks


def _reshaped(rows: Rows, a: int, b: int, batch: int) -> Rows:
    """Rows a to b as (steps, batch)."""
    return Rows(
        rows.user_idx[a:b].reshape(-1, batch),
        rows.movie_idx[a:b].reshape(-1, batch),
        rows.rating[a:b].reshape(-1, batch),
    )


def _schedule(recipe: Recipe, total: int) -> Any:
    if recipe.schedule == "constant":
        return recipe.learning_rate
    warmup = max(total // 20, 1)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=max(total - warmup, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup,
    )
