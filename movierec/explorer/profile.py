"""What a visitor told: the file that they keep, and the one that they bring."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from movierec.errors import InputError
from movierec.recommend.recommender import Recommender
from movierec.trust import read_json

LARGEST = 2**20  # bytes of a profile
MOST = 5_000  # films in it

MovieId = Annotated[int, Field(ge=0, lt=2**31)]


class Rated(BaseModel):
    """A film with the stars given; the title keeps it from being another film elsewhere."""

    model_config = ConfigDict(extra="forbid")
    movie_id: MovieId
    title: str = Field(max_length=500)
    stars: float = Field(ge=0, le=10, allow_inf_nan=False)


class Profile(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: Literal["movierec profile"] = "movierec profile"
    version: Literal[1] = 1
    data: str = Field(default="", max_length=200)
    ratings: list[Rated] = Field(default=[], max_length=MOST)
    unknown: list[MovieId] = Field(default=[], max_length=MOST)
    gender: Literal["F", "M"] | None = None
    age: int | None = Field(default=None, ge=1, le=129)
    occupation: int | None = Field(default=None, ge=0, le=999)


def read_profile(recommender: Recommender, content: bytes) -> tuple[Profile, int]:
    """What a visitor told, from the file that they kept.

    Films count only where the id still has the title that it had, so that a file made with other
    data brings in no stranger films.

    Args:
        recommender: whose films they are.
        content: the file.

    Returns:
        The profile, of films of the data alone, and how many ratings were left out.

    Raises:
        InputError: no profile, a damaged one, or one that fits no film of the data.
    """
    if len(content) > LARGEST:
        raise InputError(
            f"this file has {len(content):,} bytes; expected a profile of at most {LARGEST:,}"
        )
    try:
        told = read_json(content, Profile)
    except InputError as error:
        raise InputError(
            f"this file is no profile of movierec ({error}). Choose a file that was saved here"
        ) from error
    movies = recommender.tables.movies
    titles = dict(zip(movies["movie_id"], movies["title"], strict=True))
    kept = {rated.movie_id: rated for rated in told.ratings}
    fitting = [rated for rated in kept.values() if titles.get(rated.movie_id) == rated.title]
    if kept and not fitting:
        raise InputError(
            f"none of the {len(kept)} films of this profile is in the data "
            f"{recommender.tables.name}; it was saved with other films"
        )
    for rated in fitting:
        if rated.stars not in recommender.star_values:
            raise InputError(
                f"this profile has a rating of {rated.stars:g}; expected one of "
                f"{recommender.star_values}. Choose a file that was saved here"
            )
    known = {film.movie_id for film in fitting}
    unknown = [film for film in dict.fromkeys(told.unknown) if film in titles and film not in known]
    changes = {"ratings": fitting, "unknown": unknown, "data": recommender.tables.name}
    if not recommender.features.user_fields:
        changes |= dict.fromkeys(("gender", "age", "occupation"))
    read = told.model_copy(update=changes)
    person = {rated.movie_id: rated.stars for rated in fitting}
    recommender.new_user(person, read.gender, read.age, read.occupation)  # refuses a job, say
    return read, len(kept) - len(fitting)
