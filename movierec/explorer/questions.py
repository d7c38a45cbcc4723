"""What the explorer's service is asked and what it answers, as pydantic models.

A name that is not listed is refused, and every list and text has a bound, so that no question takes
long. Field by field they are described at `/api/openapi.json`, which is made from them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_RATINGS = 2_000  # of one person; a list of theirs takes some 50 ms
MOST_FILE = 2**21  # characters of a file
MOST_FILMS = 5_000  # of a list of films, and of a profile

Id = Annotated[int, Field(ge=0, lt=2**31)]  # of a film or a person
Stars = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Liking = Annotated[Share | None, Field(description="0: sure to be seen; 1: by stars alone")]
Names = Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=50)]
Rounded = Annotated[float, AfterValidator(lambda value: round(value, 2))]
MovieIds = Annotated[list[Id], Field(max_length=MOST_FILMS)]


class Question(BaseModel):
    """What every question has in common: nothing but what is listed."""

    model_config = ConfigDict(extra="forbid")


class Told(Question):
    """What somebody tells of themselves beside their stars; all of it may be missing."""

    unknown: MovieIds = Field(default=[], description="films that they say they have not seen")
    gender: Literal["F", "M"] | None = None
    age: int | None = Field(default=None, ge=1, le=129, description="in years")
    occupation: int | None = Field(default=None, ge=0, le=999, description="place in about.jobs")


class Someone(Told):
    """Somebody who is not in the data."""

    ratings: dict[Id, Stars] = Field(default={}, max_length=MOST_RATINGS, description="by movie id")


class Given(Question):
    """A film that was rated; in a file the title keeps it from being another film elsewhere."""

    movie_id: Id
    title: str
    stars: float


class Profile(Told):
    """The file of what somebody told."""

    model_config = ConfigDict(strict=True)
    format: Literal["movierec profile"] = "movierec profile"
    version: Literal[1] = 1
    data: str = Field(default="", max_length=200)
    ratings: list[Given] = Field(default=[], max_length=MOST_FILMS)


class Conditions(Question):
    """Which films may stand on a list, how many do, and whether they are drawn by chance."""

    k: int = Field(default=12, ge=1, le=100, description="how many films")
    variety: Share = 0
    genres: Names = Field(default=[], description="a film has one of these")
    without: Names = Field(default=[], description="and none of these")
    first_year: int | None = Field(default=None, ge=0, le=9999)
    last_year: int | None = Field(default=None, ge=0, le=9999)
    deny: MovieIds = Field(default=[], description="films that are left out")
    temperature: float = Field(default=0, ge=0, le=5, description="0: the plain best; 1: lively")
    seed: int | None = Field(default=None, ge=0, lt=2**31, description="makes a draw repeatable")


class Settings(Conditions):
    """How the films of a person's list are chosen."""

    liking: Liking = None
    daring: float = Field(
        default=0, ge=-1, le=1, description="-1: good even if it disappoints; 1: if it surprises"
    )


class ForNewUser(Someone, Settings):
    """Films for somebody who is not in the data, and what to ask them next."""

    ask: int = Field(default=0, ge=0, le=12, description="how many films to ask about")
    shown: MovieIds = Field(default=[], description="films that are asked about already")


class ForUser(Settings):
    """Films for a person of the data."""

    user_id: Id | None = Field(default=None, description="none: an active one")
    exclude_seen: bool = True


class ForGroup(Conditions):
    """Films for several people; a number is a person of the data."""

    people: list[Id | Someone] = Field(min_length=1, max_length=5)
    how: Literal["least misery", "mean"] = "least misery"
    liking: Liking = None
    least: Stars = Field(default=0, description="stars that everybody gives at least")


class OfFilm(Conditions):
    """What is like a film, or goes with it."""

    movie_id: Id


class WhoLikes(Question):
    """The people of the data who like a film most."""

    movie_id: Id
    k: int = Field(default=8, ge=1, le=100)


class Explain(Someone):
    """Why a film, for a person of the data or for somebody new."""

    movie_id: Id
    user_id: Id | None = None


class Find(Question):
    """Films by their title."""

    text: str = Field(max_length=200)
    k: int = Field(default=6, ge=1, le=50)


class ReadFile(Question):
    """A profile, or an export of ratings from elsewhere."""

    text: str = Field(max_length=MOST_FILE)


class OfFilms(Question):
    """Some films."""

    movie_ids: list[Id] = Field(max_length=100)


# --- answers -------------------------------------------------------------------------------------


class Why(BaseModel):
    """Which rated films speak most for a film, and which one against it."""

    speaks: list[Given]
    though: Given | None


class Film(BaseModel):
    """A film; what is predicted is None where nobody is asked for."""

    movie_id: int
    title: str
    year: int | None
    genres: list[str]
    predicted: Rounded | None = Field(None, description="stars")
    std: Rounded | None = Field(None, description="standard deviation of ratings about that")
    chance: Rounded | None = Field(None, description="of 4 stars or more; 0 to 1")
    why: Why | None = None
    each: list[Rounded] | None = Field(None, description="stars predicted for each of a group")
    times: float | None = Field(None, description="how much oftener with that film than by chance")
    adds: float | None = Field(None, description="what rating it would add to `known`")


class Films(BaseModel):
    """A list; the best first."""

    films: list[Film]
    loosen: list[str] = Field(default=[], description="of an empty list: conditions to drop")


class ForSomeone(Films):
    """A list for somebody new."""

    ask: list[Film] = Field(description="films whose stars would teach most")
    known: float = Field(description="share of what there is to know of their taste; 0 to 1")


class Person(BaseModel):
    """A person of the data."""

    user_id: int
    gender: str | None = None
    age: str | None = None
    occupation: str | None = None
    predicted: Rounded | None = None


class ForPerson(Films):
    """A list for a person of the data, and their history."""

    who: Person
    rated: int
    best: list[Given]


class People(BaseModel):
    """People; those who like the film most first."""

    people: list[Person]


class Reason(Given):
    """What a rated film adds to the predicted stars, and its share in what is watched."""

    adds: float
    share: float


class Explained(BaseModel):
    """A film for somebody, and all that moves it: `start`, `rest` and `adds` make `predicted`."""

    film: Film
    given: float | None = None
    start: float
    rest: float
    reasons: list[Reason]


class MapOfFilms(BaseModel):
    """All rated films in a plane; those with most ratings first. `groups` are genres."""

    width: int
    height: int
    groups: list[str]
    movie_ids: list[int]
    titles: list[str]
    x: list[int]
    y: list[int]
    group: list[int]


class Doubtful(BaseModel):
    """A line of a file that may be one of some films; none: it is none of the data's."""

    line: int
    title: str
    year: int | None
    stars: float
    films: list[Film]


class ReadBack(Told):
    """What a file told."""

    kind: Literal["profile", "history"]
    ratings: list[Given]
    unsure: list[Doubtful] = []
    skipped: int = 0


class About(BaseModel):
    """The data, and what can be asked of it."""

    data: str
    people: int
    films: int
    ratings: int
    stars: list[float]
    genres: list[str]
    years: tuple[int, int] | None
    ages: list[tuple[int, str]]
    jobs: list[str]
    liking: float
    posters: str | None = Field(description="what has to be said beside posters; None: none")
    language: str | None = Field(description="of the posters' titles")


class Known(BaseModel):
    """What is known of a film beyond the data."""

    movie_id: int
    title: str | None
    overview: str | None
    poster: bool


class Posters(BaseModel):
    """What is known by now; the others may come later."""

    known: list[Known]
    waiting: list[int]
