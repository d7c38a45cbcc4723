"""Short trainings side by side: what the batch size and the learning rate do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from movierec.data.features import Features
from movierec.data.splits import split, validation_split
from movierec.data.tables import Tables
from movierec.errors import DivergedError, InputError
from movierec.models.recipe import Recipe, resolve_recipe
from movierec.network.fitting import fit
from movierec.network.network import started_network
from movierec.network.recipes import NetworkRecipe
from movierec.runs import encode_rows

SEED = 0  # of the weights and of the order of the rows


def study(
    tables: Tables,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    recipe: str | Recipe = "fast",
    epochs: int = 2,
    max_rows: int = 100_000,
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

    Returns:
        A row a training and epoch: `batch_size`, `learning_rate` (the one tried), `steps` (an
        epoch), and `epoch`, `train_loss`, `val_loss`, `seconds` as in
        `fitting.Fit.history`; the losses of a pair that diverged are infinite.

    Raises:
        InputError: a setting out of range.
    """
    features = Features.fit(tables)
    rows = encode_rows(tables, features)
    learned, chosen = validation_split(split(tables.ratings)[0])
    learned = learned[:max_rows]
    frames = []
    for batch_size, learning_rate in itertools.product(batch_sizes, learning_rates):
        settings = resolve_recipe(
            recipe, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate
        )
        settings = settings.starting_at(float(rows.rating[learned].mean(dtype=np.float64)))
        if not isinstance(settings, NetworkRecipe):
            raise InputError(f"got the recipe {settings.name!r}; expected one of a network")
        model = started_network(features, rows.take(learned), settings, SEED)
        try:
            history = fit(model, rows.take(learned), rows.take(chosen), settings, SEED).history
        except DivergedError:  # a result like any other, of a learning rate that is too high
            losses = dict.fromkeys(("train_loss", "val_loss"), np.inf)
            history = pd.DataFrame([{"epoch": epochs, **losses, "seconds": np.nan}])
        tried = {"learning_rate": learning_rate, "steps": -(-len(learned) // batch_size)}
        frames.append(history.assign(batch_size=batch_size, **tried))
    columns = ["batch_size", "learning_rate", "steps", "epoch", "train_loss", "val_loss", "seconds"]
    return pd.concat(frames, ignore_index=True)[columns]
