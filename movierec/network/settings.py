"""The network's dimensions, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class NetworkConfig:
    """The network's dimensions; the defaults are the documented ones."""

    embed_dim: int = 32  # width of the user id, movie id, genre and title word embeddings
    side_dim: int = 16  # width of the gender, age and job embeddings
    windows: tuple[int, ...] = (2, 3, 4, 5)  # heights of the title convolution, in words
    filters: int = 8  # of each window
    vector_dim: int = 200  # length of a user's and a movie's vector
    title_dropout: float = 0.5  # share of the title feature set to zero in training
    # Whether padding takes no part in the genre sum and the title convolution. The document sums up
    # to 17 padding slots into a film's genres and convolves the padding of short titles.
    mask_padding: bool = True
    embedding_range: float = 0.05  # embeddings start uniform in (-range, range)
    # The rating that the network predicts before it has learned anything: the biases of both vector
    # layers start where their dot product is this. 0: at zero, and the first steps find the mean.
    start_rating: float = 0.0


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    epochs: int = 5  # passes over the training rows
    batch_size: int = 256  # rows a step, unless the next two say otherwise
    # Steps an epoch, at least: small data gets smaller batches. 0 leaves the batch.
    least_steps: int = 0
    # Steps an epoch, at most: large data gets larger batches, so that an epoch's time grows with
    # the ratings alone (Adam passes over every embedding at every step, and more ratings come with
    # more users and films). 0 leaves the batch.
    most_steps: int = 0
    learning_rate: float = 1e-4  # Adam's, at its highest
    # "cosine": warmed up over a twentieth of the steps, then down to zero along a half cosine
    schedule: Literal["constant", "cosine"] = "constant"
    # Adam's, which it adds to the root of a gradient's mean square. Where it is about as large as
    # that, a weight with small gradients moves less: the embeddings of those who rate or are rated
    # seldom, which Adam otherwise moves as far as any.
    epsilon: float = 1e-7
    # Share of all steps that the moving average of the weights reaches back; 0: none.
    average: float = 0.0
    start_at_mean: bool = False  # of the training ratings
    # The leading factors of the training ratings (see `spectral`) times this are added to the
    # random values at which the embeddings of users and films start; 0: they are not.
    start_at_factors: float = 0.0
    # Whether a user or film that stands in several rows of a batch goes through its tower once (in
    # training its rows then share one dropout mask).
    share_towers: bool = False
    # Epochs without a better validation loss after which the training stops; None: never. A cosine
    # schedule is made for all epochs, and is then cut short.
    patience: int | None = None
