"""What to train and how, by name: the network's dimensions and the recipes of training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from movierec.errors import InputError


@dataclass(frozen=True)
class NetworkConfig:
    """The network's dimensions; the defaults are the documented ones.

    Attributes:
        embed_dim: width of the user id, movie id, genre and title word embeddings.
        side_dim: width of the gender, age and job embeddings.
        windows: heights of the title convolution, in words.
        filters: filters of each window.
        vector_dim: length of a user's and a movie's vector.
        title_dropout: share of the title feature set to zero in training.
        mask_padding: whether padding takes no part in the genre sum and the title convolution. The
            document sums up to 17 padding slots into a film's genres and convolves the padding of
            short titles; False keeps that for comparison.
        embedding_range: embeddings start uniform in (-range, range).
        start_rating: the rating that the network predicts before it has learned anything: the
            biases of both vector layers start where their dot product is this rating. 0 leaves
            them at zero, and the first steps go into finding the mean.
    """

    embed_dim: int = 32
    side_dim: int = 16
    windows: tuple[int, ...] = (2, 3, 4, 5)
    filters: int = 8
    vector_dim: int = 200
    title_dropout: float = 0.5
    mask_padding: bool = True
    embedding_range: float = 0.05
    start_rating: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it.

    Attributes:
        name: what it is called.
        network: the network's dimensions and initial values.
        epochs: passes over the training rows.
        batch_size: rows a step, unless the next two say otherwise.
        least_steps: steps an epoch, at least: small data gets smaller batches. 0 leaves the batch.
        most_steps: steps an epoch, at most: large data gets larger batches, so that an epoch's time
            grows with the ratings alone (Adam passes over every embedding at every step, and more
            ratings come with more users and films). 0 leaves the batch.
        learning_rate: Adam's, at its highest.
        schedule: "constant", or "cosine": warmed up over a twentieth of the steps, then down to
            zero along a half cosine.
        start_at_mean: whether the network starts at the mean of the training ratings.
        start_at_factors: the leading factors of the training ratings (see `spectral`) times this
            are added to the random values at which the embeddings of users and films start; 0:
            they are not.
        share_towers: whether a user or film that stands in several rows of a batch goes through
            its tower once (in training its rows then share one dropout mask).
        patience: epochs without a better validation loss after which the training stops; None:
            never. A cosine schedule is made for all epochs, and is then cut short.
    """

    name: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 5
    batch_size: int = 256
    least_steps: int = 0
    most_steps: int = 0
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    start_at_mean: bool = False
    start_at_factors: float = 0.0
    share_towers: bool = False
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "patience"):
            value = getattr(self, name)
            whole = name != "learning_rate"
            if value is None and name == "patience":
                continue
            if not 0 < value < float("inf") or (whole and value != int(value)):
                expected = "a whole number above 0" if whole else "a number above 0"
                raise InputError(f"got {name.replace('_', ' ')} {value}; expected {expected}")


@dataclass(frozen=True)
class BestRecipe:
    """The most accurate: factor models with linear towers, and what is watched together.

    Chosen on validation rows of MovieLens-1M; `benchmarks/TRIED.md` has what else was tried.

    Attributes:
        name: what it is called.
        factors: of each member; a vector has these and a bias.
        passes: of the coordinate ascent.
        members: factor models from different starts, whose predictions are averaged.
        user_ridge, movie_ridge: of the towers.
        watch_rank: directions kept of what is watched together.
        watch_ridge: of the linear item model.
    """

    name: str
    factors: int = 40
    passes: int = 25
    members: int = 3
    user_ridge: float = 5.0
    movie_ridge: float = 1.0
    watch_rank: int = 512
    watch_ridge: float = 800.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            whole = "ridge" not in name
            if name != "name" and (not 0 < value < float("inf") or (whole and value % 1)):
                expected = "a whole number above 0" if whole else "a number above 0"
                raise InputError(f"got {name.replace('_', ' ')} {value}; expected {expected}")


RECIPES: dict[str, Recipe | BestRecipe] = {
    "classic": Recipe("classic", NetworkConfig(mask_padding=False)),
    "fast": Recipe(
        "fast",
        epochs=4,
        batch_size=4096,
        least_steps=100,
        most_steps=250,
        learning_rate=3e-3,
        schedule="cosine",
        start_at_mean=True,
        start_at_factors=0.1,
        share_towers=True,
    ),
    "best": BestRecipe("best"),
}


def resolve_recipe(
    recipe: str | Recipe | BestRecipe,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
) -> Recipe | BestRecipe:
    """A recipe by name, with some of its settings replaced.

    Raises:
        InputError: an unknown name, a setting out of range, or one that the recipe does not have.
    """
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise InputError(f"unknown recipe {recipe!r}; expected one of {', '.join(RECIPES)}")
        recipe = RECIPES[recipe]
    if not isinstance(recipe, Recipe | BestRecipe):
        raise InputError(f"got {recipe!r} as recipe; expected a name or a Recipe")
    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
    }
    replaced: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if isinstance(recipe, BestRecipe):
        if replaced:
            name = min(replaced)
            raise InputError(
                f"got {name.replace('_', ' ')} {replaced[name]}, which the recipe {recipe.name!r} "
                "does not have: it is fitted in closed form; leave it out, or name another recipe"
            )
        return recipe
    if batch_size is not None:
        replaced |= {"least_steps": 0, "most_steps": 0}  # what is asked for is what is done
    return dataclasses.replace(recipe, **replaced)


def starting_at(recipe: Recipe, mean: float) -> Recipe:
    """The recipe with its network starting at the mean of the training ratings, if it asks so."""
    if not recipe.start_at_mean:
        return recipe
    return dataclasses.replace(
        recipe, network=dataclasses.replace(recipe.network, start_rating=mean)
    )
