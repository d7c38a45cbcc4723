"""The network's dimensions, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


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
class Training:
    """How a network is trained.

    Attributes:
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
        epsilon: Adam's, which it adds to the root of a gradient's mean square. Where it is about as
            large as that, a weight with small gradients moves less: the embeddings of those who
            rate or are rated seldom, which Adam otherwise moves as far as any.
        average: share of all steps that the moving average of the weights reaches back; 0: none.
        start_at_mean: whether the network starts at the mean of the training ratings.
        start_at_factors: the leading factors of the training ratings (see `spectral`) times this
            are added to the random values at which the embeddings of users and films start; 0:
            they are not.
        share_towers: whether a user or film that stands in several rows of a batch goes through
            its tower once (in training its rows then share one dropout mask).
        patience: epochs without a better validation loss after which the training stops; None:
            never. A cosine schedule is made for all epochs, and is then cut short.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 5
    batch_size: int = 256
    least_steps: int = 0
    most_steps: int = 0
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    epsilon: float = 1e-7
    average: float = 0.0
    start_at_mean: bool = False
    start_at_factors: float = 0.0
    share_towers: bool = False
    patience: int | None = None
