"""The training loop: the step, the best state. It knows nothing of films.

The step runs under the `tf.distribute` strategy in whose scope `fit` is called: each device or
worker takes its share of every batch, and all see the summed gradients.

A training row is two row numbers and a target. Of its model the loop asks only for the vectors of
users and of movies by row number, and for its variables.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf

from movierec.errors import DivergedError, InputError
from movierec.models.checkpoints import Checkpoint, State
from movierec.network.settings import Training
from movierec.network.towers import TwoTower, all_vectors
from movierec.network.workers import check_agreement, is_chief, told_by_all
from movierec.progress import OnEpoch, Progress
from movierec.vectors import Rows, pair_scores


class Fit(NamedTuple):
    """What a training left: the model holds the best state."""

    # a row an epoch: `epoch` (from 1), `train_loss` (mean over it, with dropout), `val_loss`,
    # `learning_rate` (at its end), `seconds` (since the first step)
    history: pd.DataFrame
    best_epoch: int  # the epoch whose state was kept
    seconds: dict[str, float]  # `compile` (tracing the step), `train` (all epochs, validated)


class Compiled(NamedTuple):
    """What takes the steps of a training: traced once, and good for several of one model."""

    optimizer: keras.optimizers.Optimizer  # whose state a training begins with
    train_steps: Any  # see `compile_steps`


SMALLEST_BATCH = 64  # that `least_steps` may lead to
ROWS_PER_CALL = 32_768  # rows trained on between two looks at the progress
DIVERGED = 10  # times the loss of the start or of the mean, over an epoch after the first: no mend
CHECKPOINT_SECONDS = 60  # at most so long a work within an epoch is lost when the process is killed


def fit(
    model: TwoTower,
    train: Rows,
    validation: Rows,
    recipe: Training,
    seed: int = 0,
    on_epoch: OnEpoch | None = None,
    on_progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    compiled: Compiled | None = None,
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
        compiled: of this model, at its start and with the recipe's schedule; None: compiled here.

    Raises:
        DivergedError: a loss that grew out of hand or is no longer a number.
        InputError: no training rows, or a checkpoint that belongs to another training or cannot be
            written.
    """
    rows = len(train.rating)
    if rows == 0:
        raise InputError("no training rows; give more ratings or hold out fewer")
    batch = rows_a_step(recipe, rows)
    total = recipe.epochs * -(-rows // batch)
    spread = float(np.var(train.rating))
    began = time.perf_counter()
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(**cosine(recipe, total))
    optimizer, train_steps = compiled or compile_steps(model, recipe, rate, momentum(recipe, total))
    variables = [*model.variables, *optimizer.variables]  # the dropout's random state is one
    at = (checkpoint.load(variables) if checkpoint else None) or State()
    check_agreement("the step to begin with", at.steps)
    ready = saved = time.perf_counter()
    earlier = at.seconds

    def save() -> None:
        nonlocal saved
        if checkpoint and is_chief():
            checkpoint.save(at, variables)
            saved = time.perf_counter()

    patience = recipe.patience or recipe.epochs
    while (epoch := len(at.history) + 1) <= min(recipe.epochs, at.best_epoch + patience):
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        for idx in _blocks(order, batch)[at.block :]:
            block = train.take(idx)  # one block at a time: the rows may be many, and on disk
            losses = train_steps(*map(tf.constant, block)).numpy()
            at.block, at.steps = at.block + 1, at.steps + len(losses)
            at.loss_sum += float(losses.sum()) * block.rating.shape[1]
            at.seconds = earlier + time.perf_counter() - ready
            if at.steps == len(losses):
                at.first_loss = float(losses[0])
            if not np.isfinite(losses).all():
                raise DivergedError(
                    f"the loss became {losses[-1]} in epoch {epoch}, step {at.steps} of {total}; "
                    f"lower the learning rate (it was {recipe.learning_rate:g})"
                )
            if on_progress:
                on_progress(at.steps, total, float(losses.mean()))
            if time.perf_counter() - saved > CHECKPOINT_SECONDS:
                save()
        now = _values(model)
        # at their moving averages, if the optimizer keeps these
        optimizer.finalize_variable_values(model.trainable_variables)
        # the chief's, as other machines may round otherwise and then stop otherwise
        val_loss = told_by_all(loss(model, validation))[0]
        weights = _values(model)
        _assign(model, now)
        record = {
            "epoch": epoch,
            "train_loss": at.loss_sum / rows,
            "val_loss": val_loss,
            "learning_rate": float(keras.ops.convert_to_numpy(optimizer.learning_rate)),
            "seconds": earlier + time.perf_counter() - ready,
        }
        # a taught network may begin so near its teacher that ten times that is still near
        if epoch > 1 and record["train_loss"] > DIVERGED * max(at.first_loss, spread):
            raise DivergedError(
                f"the training diverged: the loss began at {at.first_loss:.3g} and was "
                f"{record['train_loss']:.3g} over epoch {epoch}; lower the learning rate (it was "
                f"{recipe.learning_rate:g})"
            )
        at.history.append(record)
        at.block, at.loss_sum, at.seconds = 0, 0.0, record["seconds"]
        if not val_loss >= at.best_loss:  # not a number, without validation: the last
            at.best_loss, at.best_epoch, at.best_weights = val_loss, epoch, weights
        if on_epoch:
            on_epoch(record)
        save()
    _assign(model, at.best_weights)
    seconds = {"compile": ready - began, "train": at.seconds}
    return Fit(pd.DataFrame(at.history), at.best_epoch, seconds)


def _values(model: TwoTower) -> list[npt.NDArray[np.float32]]:
    return [variable.numpy() for variable in model.trainable_variables]


def _assign(model: TwoTower, values: list[npt.NDArray[np.float32]]) -> None:
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)


def loss(model: TwoTower, rows: Rows) -> float:
    """Mean squared error of the unclipped ratings, without dropout; NaN without rows."""
    if not len(rows.rating):
        return float("nan")
    users, movies = all_vectors(model)
    scores = pair_scores(users, movies, rows.user_idx, rows.movie_idx)
    return float(np.mean((scores - rows.rating) ** 2, dtype=np.float64))


def compile_steps(
    model: TwoTower, recipe: Training, learning_rate: Any, average: float = 0.0
) -> Compiled:
    """Trace the step of a training.

    Args:
        model: the network.
        recipe: of which `share_towers` and `epsilon` count here.
        learning_rate: Adam's, a number or a schedule.
        average: momentum of the moving average of the weights; 0: none.

    Returns:
        The optimizer, and a function that takes the steps of a block of batches, (steps, B) each,
        and returns their losses, (steps,).
    """
    variables = model.trainable_variables
    averaging = {"use_ema": True, "ema_momentum": average} if average else {}
    optimizer = keras.optimizers.Adam(learning_rate, epsilon=recipe.epsilon, **averaging)
    optimizer.build(variables)
    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync

    def vectors(of: Callable[[Any], Any], idx: Any) -> Any:
        if not recipe.share_towers:
            return of(idx)
        unique, place = tf.unique(idx)
        return tf.gather(of(unique), place)  # (B,) -> (unique, 200) -> (B, 200)

    def step(user_idx: Any, movie_idx: Any, rating: Any) -> Any:
        # every replicas-th row of the batch is this replica's; where there are fewer rows than
        # replicas some take a row that is another's, with weight 0
        batch = tf.shape(rating)[0]
        first = tf.distribute.get_replica_context().replica_id_in_sync_group
        share = tf.range(first, tf.maximum(batch, replicas), replicas)
        weight = tf.cast(share < batch, tf.float32) / tf.cast(batch, tf.float32)
        user_idx, movie_idx, rating = (
            tf.gather(part, share % batch) for part in (user_idx, movie_idx, rating)
        )  # (B,) -> (B / replicas,)
        with tf.GradientTape() as tape:
            users = vectors(model.user_vectors, user_idx)
            movies = vectors(lambda idx: model.movie_vectors(idx, training=True), movie_idx)
            predicted = tf.reduce_sum(users * movies, axis=1)  # (B, 200) -> (B,)
            error = tf.reduce_sum(weight * tf.square(predicted - rating))
        gradients = tape.gradient(error, [variable.value for variable in variables])
        # Adam moves every row at every step, also those that the batch does not touch, as the
        # document's TensorFlow 1 did; a sparse gradient would leave them where they are.
        # `apply` sums over the replicas
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
            error = strategy.run(step, (user_idx[i], movie_idx[i], rating[i]))
            losses = losses.write(i, strategy.reduce(tf.distribute.ReduceOp.SUM, error, axis=None))
        return losses.stack()  # (steps,)

    train_steps.get_concrete_function()
    return Compiled(optimizer, train_steps)


def rows_a_step(recipe: Training, rows: int) -> int:
    """Rows a step, by the recipe and by how many rows there are."""
    batch = recipe.batch_size
    if recipe.least_steps:
        batch = min(batch, max(rows // recipe.least_steps, SMALLEST_BATCH))
    if recipe.most_steps:
        batch = max(batch, -(-rows // recipe.most_steps))
    return min(batch, rows)


def _blocks(order: npt.NDArray[np.int64], batch: int) -> list[npt.NDArray[np.int64]]:
    """An order cut into blocks of whole batches, (steps, batch) each, and the rest as a last one.

    The blocks are views of the order.
    """
    per_call = max(ROWS_PER_CALL // batch, 1) * batch
    whole = len(order) // batch * batch
    blocks = [order[a : min(a + per_call, whole)] for a in range(0, whole, per_call)]
    blocks = [block.reshape(-1, batch) for block in blocks]
    return blocks + [order[whole:][None]] * (whole < len(order))


def momentum(recipe: Training, total: int) -> float:
    """Of the moving average of the weights, for a training of so many steps; 0: none."""
    return 1 - 1 / max(recipe.average * total, 1) if recipe.average else 0.0


def cosine(recipe: Training, total: int) -> dict[str, float]:
    """The settings of Keras' `CosineDecay` for a training of so many steps."""
    warmup = max(total // 20, 1)
    return {
        "initial_learning_rate": 0.0,
        "decay_steps": max(total - warmup, 1),
        "warmup_target": recipe.learning_rate,
        "warmup_steps": warmup,
    }
