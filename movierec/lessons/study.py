"""Short trainings side by side: what the settings of a recipe do.

Tracing a training step takes longer than such a training. Those of networks of one kind take turns
with one traced step: the weights, Adam's state and the schedule are set back before each.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Features
from movierec.data.splits import split, validation_split
from movierec.data.tables import Tables
from movierec.errors import DivergedError
from movierec.network.fitting import Compiled, compile_steps, cosine, fit, momentum, rows_a_step
from movierec.network.network import started_network
from movierec.network.recipes import NetworkRecipe
from movierec.network.towers import TwoTower
from movierec.progress import OnEpoch
from movierec.runs import encode_rows
from movierec.vectors import Rows


class Tried(NamedTuple):
    """A short training."""

    history: pd.DataFrame  # see `fitting.Fit`; if it diverged, one row with infinite losses
    losses: npt.NDArray[np.float32]  # (steps,) of each batch, before its step (stars²)
    batch: int  # rows a step


def study(
    tables: Tables, recipes: Mapping[Any, NetworkRecipe], max_rows: int = 100_000, seed: int = 0
) -> tuple[dict[Any, Tried], Rows, Rows]:
    """Train by each of some recipes, from the same weights and on the same rows.

    Test rows are held out as by default in `train`, and take no part.

    Args:
        tables: what to train on.
        recipes: by a name each.
        max_rows: where there are more training rows, so many of them are taken, to bound the time.
        seed: as in `train`.

    Returns:
        What came of each recipe, by its name; the training rows, and the validation rows.
    """
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    numbers, chosen = validation_split(split(tables.ratings)[0], seed=seed)
    learned, measured = rows.take(numbers[:max_rows]), rows.take(chosen)
    benches: dict[Hashable, Bench] = {}
    tried, mean = {}, float(learned.rating.mean(dtype=np.float64))
    for name, recipe in recipes.items():
        recipe = recipe.starting_at(mean)
        batch = rows_a_step(recipe, len(learned.rating))
        average = momentum(recipe, recipe.epochs * -(-len(learned.rating) // batch))
        network = recipe.network, recipe.start_at_factors
        kind = *network, recipe.share_towers, recipe.epsilon, average
        if kind not in benches:
            benches[kind] = Bench(started_network(features, learned, recipe, seed), recipe, learned)
        tried[name] = benches[kind].train(learned, measured, recipe, seed)
    return tried, learned, measured


class Bench:
    """A network with its traced step, on which trainings follow each other from one start.

    Args:
        model: the network, at the start of all of them.
        recipe: the first one's; the others may differ in what is no part of the step.
        rows: the first one's training rows.
    """

    def __init__(self, model: TwoTower, recipe: NetworkRecipe, rows: Rows) -> None:
        steps = recipe.epochs * -(-len(rows.rating) // rows_a_step(recipe, len(rows.rating)))
        self.model = model
        self.start = [variable.numpy() for variable in model.variables]
        knobs = {name: keras.Variable(1.0, trainable=False) for name in cosine(recipe, 2)}
        self.knobs = {**knobs, "alpha": keras.Variable(0.0, trainable=False)}
        schedule = keras.optimizers.schedules.CosineDecay(**self.knobs)
        self.compiled = compile_steps(model, recipe, schedule, momentum(recipe, steps))

    def train(
        self,
        learned: Rows,
        measured: Rows,
        recipe: NetworkRecipe,
        seed: int,
        on_epoch: OnEpoch | None = None,
    ) -> Tried:
        """Train from the start; arguments as in `fit`. The network is left in its best state."""
        batch, losses = rows_a_step(recipe, len(learned.rating)), []
        settings = cosine(recipe, recipe.epochs * -(-len(learned.rating) // batch))
        if recipe.schedule == "constant":  # a cosine that begins at its end
            settings |= {"initial_learning_rate": recipe.learning_rate, "alpha": 1.0}
        for name, knob in self.knobs.items():
            knob.assign(settings.get(name, 0.0))
        for variable, value in zip(self.model.variables, self.start, strict=True):
            variable.assign(value)
        for variable in self.compiled.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))

        def train_steps(*block: Any) -> Any:
            found = self.compiled.train_steps(*block)
            losses.append(found.numpy())
            return found

        compiled = Compiled(self.compiled.optimizer, train_steps)
        try:
            found = fit(self.model, learned, measured, recipe, seed, on_epoch, compiled=compiled)
            history = found.history
        except DivergedError:  # a result like any other, of a learning rate that is too high
            last = {"epoch": recipe.epochs, "train_loss": np.inf, "val_loss": np.inf}
            history = pd.DataFrame([last])
        return Tried(history, np.concatenate(losses), batch)
