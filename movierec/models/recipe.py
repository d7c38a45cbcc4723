"""The contract of what trains: a recipe gets a job and gives what was trained.

Whoever writes a further recipe writes one class, and offers an instance of it through the entry
points of `movierec.registry`. What a run needs beside the stars (newcomers, what is watched
together) is learned from the same rows for every recipe, in `models.model`.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Features
from movierec.errors import InputError
from movierec.models.checkpoints import Checkpoint
from movierec.registry import offer, offered
from movierec.spread import Spread, by_threads
from movierec.vectors import Rows

if TYPE_CHECKING:
    from movierec.runs import Run

# what a recipe may support beside settings of its own: what to call it when it does not
ABILITIES = {
    "resume": "--resume",
    "start_from": "a run to start from",
    "tensorboard": "TensorBoard logs",
    "workers": "several workers (TF_CONFIG)",
    "cluster": "several workers (--workers, --scheduler)",
}


@dataclass(frozen=True)
class Job:
    """What a training is to learn from."""

    features: Features  # the encodings
    learned: Rows  # training rows, at least one
    chosen: Rows  # validation rows, which may choose the best state; may be empty
    seed: int  # of everything random
    # where a state is kept; what is there is to be continued from, and goes when the run is written
    checkpoint: Checkpoint
    tensorboard: Path | None = None  # a folder for logs
    start_from: Run | None = None  # an earlier run to start at
    spread: Spread = by_threads  # what works on blocks, for recipes that support `cluster`


class Trained(NamedTuple):
    """What a training gives.

    Attributes:
        weights: float32 arrays by name: all that was learned.
        users, movies: float32 (user rows, d) and (movie rows, d), whose dot products are the
            predicted ratings; NaN in rows for which the training has no vector.
        history: a row an epoch, or whatever the training goes by: `epoch` (from 1), `train_loss`
            and `val_loss` (mean squared errors, stars squared), `seconds` since the beginning.
        best_epoch: the epoch whose state was kept.
        seconds: `build`, `compile`, `train`.
        nearby: whether what the vectors leave may be explained by near films, see
            `models.nearby`.
        leverage: (learned ratings,), by how much each one's prediction follows a change of the
            rating itself, 0 to 1, if that is known: then errors without it are, too, see
            `models.certainty`.
    """

    weights: dict[str, npt.NDArray[np.float32]]
    users: npt.NDArray[np.float32]
    movies: npt.NDArray[np.float32]
    history: pd.DataFrame
    best_epoch: int
    seconds: dict[str, float]
    nearby: bool = False
    leverage: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Recipe(ABC):
    """What to train and how; its fields are its settings, kept in the run folder.

    Attributes:
        name: what it is called.
        validation_fraction: part of the training rows that it chooses its best state on, unless
            somebody asks for another.
        supports: the settings that may be changed by name, and those of `ABILITIES` that it has.
        packages: on whose versions its numbers depend.
    """

    name: str

    validation_fraction: ClassVar[float] = 0.0
    supports: ClassVar[frozenset[str]] = frozenset()
    packages: ClassVar[tuple[str, ...]] = ("numpy", "scipy")

    @abstractmethod
    def fit(self, job: Job) -> Trained:
        """Train.

        Raises:
            InputError: settings, rows or a checkpoint that it cannot use.
        """

    def versions(self) -> dict[str, str]:
        """The versions of its `packages`.

        Raises:
            InputError: one of them is not installed.
        """
        return {package: version(package) for package in self.packages}

    def changed(self, **settings: Any) -> Recipe:
        """This recipe with other settings, of those that it `supports`."""
        return dataclasses.replace(self, **settings)

    def starting_at(self, mean: float) -> Recipe:
        """This recipe for ratings of this mean (stars), where it makes a difference."""
        return self

    def is_chief(self) -> bool:
        """Whether this process writes the run: it trains alone, or is the first of several."""
        return True

    def meet(self) -> None:
        """Wait until every process of the training has come here."""
        return


def resolve_recipe(recipe: str | Recipe, **changes: Any) -> Recipe:
    """A recipe, or the one of this name, with some of its settings replaced.

    Args:
        recipe: the name, or the recipe.
        changes: settings, such as `epochs`; and abilities that are asked for, such as
            `resume=True`, which change nothing. None and False ask for nothing.

    Raises:
        InputError: an unknown name, a setting out of range, or one that the recipe does not have.
    """
    if isinstance(recipe, str):
        if recipe not in offered("recipes"):
            known = ", ".join(offered("recipes"))
            raise InputError(f"unknown recipe {recipe!r}; expected one of {known}")
        recipe = offer("recipes", recipe)
    if not isinstance(recipe, Recipe):
        raise InputError(f"got {recipe!r} as recipe; expected a name or a Recipe")
    asked = {k: v for k, v in changes.items() if not (v is None or v is False)}
    if stray := sorted(asked.keys() - recipe.supports):
        what = ABILITIES.get(stray[0], f"{stray[0].replace('_', ' ')} {asked[stray[0]]}")
        every = {name: offer("recipes", name) for name in offered("recipes")}
        others = [name for name, other in every.items() if stray[0] in other.supports]
        raise InputError(
            f"got {what}, which the recipe {recipe.name!r} does not have; leave it out, or name "
            f"another recipe ({', '.join(others) or 'none of those here has it'})"
        )
    settings = {name: value for name, value in asked.items() if name not in ABILITIES}
    return recipe.changed(**settings) if settings else recipe


def check_above_zero(recipe: Recipe, *names: str, whole: bool = True) -> None:
    """Refuse the first of a recipe's settings that is neither None nor a number above 0.

    Raises:
        InputError: such a setting, or one that is not whole where `whole` asks for it.
    """
    expected = "a whole number above 0" if whole else "a number above 0"
    for name in names:
        value = getattr(recipe, name)
        if value is not None and not (0 < value < float("inf") and not (whole and value % 1)):
            raise InputError(f"got {name.replace('_', ' ')} {value}; expected {expected}")
