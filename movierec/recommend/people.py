"""Somebody to recommend to, and what they tell of themselves as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from movierec.data.attributes import encode_people
from movierec.data.features import GENDERS, Features
from movierec.data.tables import AGE_BANDS
from movierec.errors import InputError
from movierec.models.newcomers import NewUser
from movierec.vectors import Vectors


@dataclass(frozen=True)
class Person:
    """Somebody to recommend to: a user of the data, or somebody new."""

    name: str  # for messages and headings
    vector: Vectors  # (d + q + 2,), whose product with a film's is the predicted rating
    profile: Vectors  # (r + k + 1,), whose product with a film's says how likely they watch it
    rated: npt.NDArray[np.int32]  # (n,) movie rows of the films that are not to be recommended
    stars: npt.NDArray[np.float32]  # (n,) given to them
    user_term: float = 0.0  # how uncertain their ratings are, see `certainty.Certainty`
    new: NewUser | None = None  # of somebody new: where the vector comes from
    user_idx: int = -1  # row of a user of the data; -1 for somebody new


def told_attributes(
    features: Features,
    gender: str | None = None,
    age: float | None = None,
    occupation: int | None = None,
) -> npt.NDArray[np.float32]:
    """The attributes of somebody new, float32 (a,): "F" or "M", years, and a code from 0.

    What is not told, None, stands as the mean of all users; a value that the data does not know, or
    has no room for, is an `InputError`.
    """
    told = {"gender": gender, "age": age, "occupation": occupation}
    if not features.user_fields:
        if stray := [name for name, value in told.items() if value is not None]:
            raise InputError(f"got {stray[0]}, but the data has no demographics; leave it out")
        return np.zeros(0, np.float32)
    if gender is not None and gender not in GENDERS:
        raise InputError(f"got gender {gender!r}; expected one of {', '.join(GENDERS)}")
    if age is not None and not (isinstance(age, int | float | np.number) and 0 < age < 130):
        raise InputError(f"got age {age!r}; expected a number of years")
    if occupation is not None and occupation not in range(features.occupations):
        raise InputError(
            f"got occupation {occupation!r}; expected a code, 0 to {features.occupations - 1}"
        )
    band = None if age is None else max(int(np.searchsorted(AGE_BANDS, age, "right")) - 1, 0)
    code = None if gender is None else GENDERS.index(gender)
    return encode_people(features, code, band, None if occupation is None else int(occupation))[0]
