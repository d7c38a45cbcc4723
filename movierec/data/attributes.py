"""What is known of people and films before anybody rates, as numbers for linear towers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from movierec.data.features import GENDERS, Features
from movierec.data.tables import AGE_BANDS

Array = npt.NDArray[np.float32]
Which = slice | Sequence[int] | npt.NDArray[np.integer]  # row numbers of users or films
ALL = slice(None)

SCALE = 0.3  # of most entries: under one ridge, attributes weigh less than a long history
PERIODS = np.arange(1920, 2031, 6)  # years in which a period is centred
PERIOD = 6.0  # its width in years
MOST_PAIRED = 40  # genres; more would make more pairs than there are films to learn them from
MIDDLE_YEAR, YEARS = 1985.0, 15.0  # zero and unit of the year, where it meets a genre


def user_attributes(features: Features, rows: Which = ALL) -> Array:
    """Gender, age band and job of users, one-hot.

    Returns:
        float32 (rows, genders + ages + jobs), or (rows, 0) without demographics.
    """
    if not features.user_fields:
        return np.zeros((len(features.users.ids[rows]), 0), np.float32)
    return encode_people(features, **{k: codes[rows] for k, codes in features.user_fields.items()})


def encode_people(
    features: Features,
    gender: npt.ArrayLike | None = None,
    age: npt.ArrayLike | None = None,
    job: npt.ArrayLike | None = None,
) -> Array:
    """Rows of `user_attributes` for people, by (n,) codes each.

    A field that is unknown, None, stands as the mean of all users.
    """
    known = [value for value in (gender, age, job) if value is not None]
    n = len(np.atleast_1d(known[0])) if known else 1
    sizes = {"gender": len(GENDERS), "age": len(AGE_BANDS), "job": features.occupations}
    blocks = []
    for (field, size), codes in zip(sizes.items(), (gender, age, job), strict=True):
        table = np.eye(size, dtype=np.float32)
        if codes is None:
            codes_of_all = features.user_fields[field][features.users.used]
            count = np.bincount(codes_of_all, minlength=size)
            blocks.append(np.tile(count / len(codes_of_all), (n, 1)))
        else:
            blocks.append(table[np.atleast_1d(codes)])
    return (SCALE * np.concatenate(blocks, axis=1)).astype(np.float32)


def movie_attributes(features: Features, rows: Which = ALL) -> Array:
    """Genres, pairs of genres, period, and genres by year.

    More than `MOST_PAIRED` genres get no pairs. A film of unknown year stands in no period and at
    the middle year.

    Returns:
        float32 (rows, attributes).
    """
    slots, years = features.movie_fields["genres"][rows], features.years[rows]
    genres = np.zeros((len(slots), len(features.genres)), np.float32)
    np.put_along_axis(genres, slots.astype(np.intp), 1.0, axis=1)
    genres = genres[:, 1:]  # index 0 is the padding
    known = ~np.isnan(years)
    year = np.where(known, years, MIDDLE_YEAR)[:, None]
    periods = np.exp(-(((year - PERIODS) / PERIOD) ** 2) / 2) * known[:, None]
    paired = genres.shape[1] if genres.shape[1] <= MOST_PAIRED else 0
    first, second = np.triu_indices(paired, 1)
    count = np.maximum(genres.sum(axis=1, keepdims=True), 1)
    blocks = [
        genres,
        periods,
        0.5 * genres * (year - MIDDLE_YEAR) / YEARS,
        0.6 * genres[:, first] * genres[:, second],
        1 / count,
    ]
    edges = np.cumsum([0, *(block.shape[1] for block in blocks)])
    found = np.empty((len(slots), edges[-1]), np.float32)
    for block, (a, b) in zip(blocks, pairwise(edges), strict=True):
        np.multiply(block, np.float64(SCALE), out=found[:, a:b], casting="same_kind")
    return found
