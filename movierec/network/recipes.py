"""The recipes that train the documented network: `classic`, `fast` and `distilled`.

TensorFlow is loaded where it is needed, since that takes seconds.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from movierec.errors import needs
from movierec.models.best import BEST
from movierec.models.recipe import Job, Recipe, Trained, check_above_zero
from movierec.network.settings import NetworkConfig, Training
from movierec.vectors import pair_scores


@dataclass(frozen=True)
class NetworkRecipe(Training, Recipe):
    """A network and how to train it; see `settings.Training`."""

    validation_fraction: ClassVar[float] = 0.02
    supports: ClassVar[frozenset[str]] = frozenset(
        {"epochs", "batch_size", "learning_rate", "patience"}
        | {"resume", "start_from", "tensorboard", "workers"}
    )
    packages: ClassVar[tuple[str, ...]] = ("tensorflow", "keras")

    def __post_init__(self) -> None:
        check_above_zero(self, "epochs", "batch_size", "patience")
        check_above_zero(self, "learning_rate", whole=False)

    def fit(self, job: Job) -> Trained:
        """Train the network, alone or as one of several workers.

        Raises:
            InputError, DivergedError, WorkerLostError: as `fitting.fit` and `workers.workers`.
        """
        with needs("network", f"recipe {self.name}"):
            from movierec.network.network import train_network

        return train_network(self, job)

    def versions(self) -> dict[str, str]:
        """Those of TensorFlow and Keras."""
        with needs("network", f"recipe {self.name}"):
            return super().versions()

    def changed(self, **settings: Any) -> NetworkRecipe:
        """This recipe with other settings; a batch size that is asked for is kept to."""
        if "batch_size" in settings:
            settings |= {"least_steps": 0, "most_steps": 0}
        return dataclasses.replace(self, **settings)

    def starting_at(self, mean: float) -> NetworkRecipe:
        """The recipe with its network starting at the mean of the ratings, if it asks so."""
        network = dataclasses.replace(self.network, start_rating=mean)
        return dataclasses.replace(self, network=network) if self.start_at_mean else self

    def is_chief(self) -> bool:
        """Whether this is worker 0, or the only one."""
        try:
            return json.loads(os.environ.get("TF_CONFIG") or "{}")["task"]["index"] == 0
        except (ValueError, KeyError, TypeError):
            return True  # what is wrong with it is told where the workers are counted

    def meet(self) -> None:
        """Wait for all workers."""
        from movierec.network.workers import told_by_all, workers

        with workers():
            told_by_all(0)


@dataclass(frozen=True)
class DistilledRecipe(NetworkRecipe):
    """The documented network, started at a teacher's leading factors and taught by it.

    A star is one noisy draw; what an accurate model expects there is the same without the noise.
    No state is chosen while it trains, so that both learn from all rows; `benchmarks/TRIED.md`.

    Reference:
        Hinton, Vinyals and Dean (2015), Distilling the Knowledge in a Neural Network, section 2.

    Attributes:
        teacher: is fitted first, on the same rows.
    """

    teacher: Recipe = BEST

    validation_fraction: ClassVar[float] = 0.0
    packages: ClassVar[tuple[str, ...]] = (*NetworkRecipe.packages, *Recipe.packages)

    def fit(self, job: Job) -> Trained:
        """Fit the teacher, then train the network on what it says of the training rows.

        In the history, `train_loss` is the mean squared difference from the teacher and `val_loss`
        that from the stars of the validation rows. Users and films without ratings have no vector:
        the network has learned nothing of them.

        Raises:
            InputError, DivergedError, WorkerLostError: as `network.train_network`.
        """
        with needs("network", f"recipe {self.name}"):
            from movierec.network.network import train_network

        kept = dataclasses.replace(job.checkpoint, part="teacher", kept=self.is_chief())
        before = dataclasses.replace(job, checkpoint=kept, start_from=None, tensorboard=None)
        teacher = self.teacher.fit(before)
        expected = pair_scores(teacher.users, teacher.movies, *job.learned[:2])
        taught = dataclasses.replace(job, learned=job.learned._replace(rating=expected))
        trained = train_network(self, taught, None if job.start_from else teacher)
        for side in ("users", "movies"):
            getattr(trained, side)[np.isnan(getattr(teacher, side)).all(axis=1)] = np.nan
        taught_after = sum(teacher.seconds.values())
        return trained._replace(
            history=trained.history.assign(seconds=trained.history["seconds"] + taught_after),
            seconds=trained.seconds | {"train": trained.seconds["train"] + taught_after},
            leverage=teacher.leverage,
        )


CLASSIC = NetworkRecipe(name="classic", network=NetworkConfig(mask_padding=False))
FAST = NetworkRecipe(
    name="fast",
    epochs=4,
    batch_size=4096,
    least_steps=100,
    most_steps=250,
    learning_rate=5e-3,
    epsilon=3e-4,
    average=0.1,
    start_at_mean=True,
    start_at_factors=0.1,
    share_towers=True,
)
DISTILLED = DistilledRecipe(
    name="distilled",
    epochs=2,
    batch_size=8192,
    least_steps=100,
    most_steps=250,
    learning_rate=1e-3,
    schedule="cosine",
    share_towers=True,
)
