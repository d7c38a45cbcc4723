"""The three tables that every data set ends in, their schema, and MovieLens' own names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from movierec.errors import InputError

AGE_BANDS = (1, 18, 25, 35, 45, 50, 56)  # first year of each band, as in ML-1M's users.dat
AGE_BAND_NAMES = ("under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56 or over")
_OCCUPATIONS = (
    "other or not specified|academic/educator|artist|clerical/admin|college/grad student|"
    "customer service|doctor/health care|executive/managerial|farmer|homemaker|K-12 student|lawyer|"
    "programmer|retired|sales/marketing|scientist|self-employed|technician/engineer|"
    "tradesman/craftsman|unemployed|writer"
)
_GENRES = (
    "Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|Film-Noir|Horror|"
    "Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
OCCUPATIONS_1M = tuple(_OCCUPATIONS.split("|"))  # by their codes
GENRES_1M = tuple(_GENRES.split("|"))

RATING_RANGE = (0.5, 5.0)  # stars, over all forms
MAX_ID = 2**31 - 1
MOST_OCCUPATIONS = 1000  # each is a column of what is known of a user
YEAR = re.compile(r"\(([0-9]{4})\)\s*$")
CONTROL = r"[\x00-\x1f\x7f-\x9f]"  # characters that a terminal would obey in place of showing them


@dataclass(frozen=True)
class Tables:
    """Users, movies and ratings of one data set, all of one schema.

    Attributes:
        users: `user_id` (int64); where the data has demographics also `gender` ("F" or "M"),
            `age` (int64: years, or the first year of an ML-1M band), `occupation` (int64: a
            position in `occupations`), `zip` (str). One row a user, ascending `user_id`.
        movies: `movie_id` (int64), `title` (str, as in the file, with the year in brackets),
            `genres` (str, joined by "|"), `year` (Int64, missing where the title has none); where
            the data has links also `tmdb_id` (Int64, missing where there is none), the film's
            number there. One row a movie, ascending `movie_id`.
        ratings: `user_id`, `movie_id` (int64), `rating` (float32, stars), `timestamp` (int64, Unix
            seconds). One row a rating, in the order of the file. Never two of one user and movie.
    """

    users: pd.DataFrame
    movies: pd.DataFrame
    ratings: pd.DataFrame
    name: str = "custom"  # the data set's
    occupations: tuple[str, ...] = ()  # their names by code; empty without demographics

    @property
    def has_demographics(self) -> bool:
        """Whether the users have gender, age and occupation."""
        return "gender" in self.users.columns


class LateTables(Tables):
    """Tables whose ratings may be what reads them, when they are first asked for."""

    def __init__(
        self,
        users: pd.DataFrame,
        movies: pd.DataFrame,
        ratings: pd.DataFrame | Callable[[], pd.DataFrame],
        name: str = "custom",
        occupations: tuple[str, ...] = (),
    ) -> None:
        vars(self).update(users=users, movies=movies, name=name, occupations=occupations)
        vars(self)["_read" if callable(ratings) else "ratings"] = ratings  # the class is frozen

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """As in `Tables`."""
        return vars(self)["_read"]()


class RowError(InputError):
    """A row that breaks the schema; the reader adds the file and the line."""

    def __init__(self, table: str, row: int, got: str, expected: str) -> None:
        super().__init__(f"{table}, row {row + 1}: {got}; expected {expected}")
        self.table, self.row, self.expected = table, row, expected


def validate_tables(tables: Tables) -> Tables:
    """Check tables against the one schema of all data sets.

    Returns:
        The tables, with users and movies in ascending id order; `year` is added where it is absent.

    Raises:
        InputError: a column is missing or of the wrong type, a value is out of range, an id is
            doubled, a rating names an unknown user or movie, or rates a movie twice.
    """
    # ratings first: the users of a CSV set come from them, and a bad id is to be named there
    check_table("ratings", tables.ratings)
    users, movies = validate_sides(tables.users, tables.movies, len(tables.occupations))
    check_pairs(tables.ratings, users, movies)
    return Tables(users, movies, tables.ratings, tables.name, tables.occupations)


def validate_sides(
    users: pd.DataFrame, movies: pd.DataFrame, occupations: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The users and movies of `validate_tables`, where no rating is looked at."""
    if occupations > MOST_OCCUPATIONS:
        raise InputError(f"got {occupations:,} occupations; expected {MOST_OCCUPATIONS:,} at most")
    if "title" in movies.columns and "year" not in movies.columns:
        year = movies["title"].astype(str).str.extract(YEAR, expand=False)
        movies = movies.assign(year=pd.to_numeric(year).astype("Int64"))
    for table, frame in (("movies", movies), ("users", users)):
        check_table(table, frame, occupations)
    return (
        users.sort_values("user_id", ignore_index=True),
        movies.sort_values("movie_id", ignore_index=True),
    )


def check_pairs(ratings: pd.DataFrame, users: pd.DataFrame, movies: pd.DataFrame) -> None:
    """Look whether ratings are of known users and movies, none twice; a `RowError` if not."""
    for kind, known in (("user", users), ("movie", movies)):
        column = ratings[f"{kind}_id"].to_numpy()
        if (stray := ~np.isin(column, known[f"{kind}_id"].to_numpy())).any():
            row = int(np.argmax(stray))
            got = f"{kind}_id {column[row]}"
            expected = f"a {kind} of the {kind}s table ({got} is unknown; {stray.sum()} such rows)"
            raise RowError("ratings", row, got, expected)
    pairs = ratings["user_id"].to_numpy() << 31 | ratings["movie_id"].to_numpy()
    if not np.all(pairs[1:] > pairs[:-1]):  # as they are in files that are in order
        pairs.sort()
    if np.any(pairs[1:] == pairs[:-1]):
        doubled = ratings.duplicated(["user_id", "movie_id"]).to_numpy()
        row = int(np.argmax(doubled))
        user_id, movie_id = ratings[["user_id", "movie_id"]].iloc[row]
        got = f"a second rating of movie {movie_id} by user {user_id}"
        expected = f"one rating a user and movie (this is {got}; {doubled.sum()} such rows)"
        raise RowError("ratings", row, got, expected)


def check_table(table: str, frame: pd.DataFrame, occupations: int = 0) -> None:
    """Check one table by its pandera schema, and say the first fault in one sentence."""
    import pandera.errors
    from pandera.pandas import Check, Column, DataFrameSchema  # imported late: a quarter second

    def identifier(unique: bool = False) -> Column:
        rule = Check.in_range(0, MAX_ID, error=f"a whole number from 0 to {MAX_ID}")
        return Column("int64", rule, unique=unique, report_duplicates="exclude_first")

    worded = Check(lambda texts: texts.str.strip().ne(""), error="a title")
    control = "text without control characters"
    plain = Check(lambda texts: ~texts.str.contains(CONTROL), error=control)
    coded = f"a code below {occupations}"
    lowest, highest = RATING_RANGE
    starred = f"{lowest:g} to {highest:g} stars (ratings out of ten, divided by 2)"
    halves = Check(lambda stars: (2 * stars).round() == 2 * stars, error="whole or half stars")
    schemas = {
        "users": {"user_id": identifier(unique=True)},
        "demographics": {
            "gender": Column("str", Check.isin(["F", "M"], error="F or M")),
            "age": Column("int64", Check.in_range(0, 130, error="years from 0 to 130")),
            "occupation": Column("int64", Check.isin(range(occupations), error=coded)),
            "zip": Column("str", plain),
        },
        "movies": {
            "movie_id": identifier(unique=True),
            "title": Column("str", [worded, plain]),
            "genres": Column("str", plain),
            "year": Column("Int64", nullable=True),
            "tmdb_id": Column("Int64", Check.in_range(0, MAX_ID), nullable=True, required=False),
        },
        "ratings": {
            "user_id": identifier(),
            "movie_id": identifier(),
            "rating": Column("float32", [Check.in_range(lowest, highest, error=starred), halves]),
            "timestamp": Column("int64", Check.ge(0, error="Unix seconds, 0 or more")),
        },
    }
    columns = schemas[table]
    if table == "users" and "gender" in frame.columns:
        columns |= schemas["demographics"]
    if not len(frame):
        raise InputError(f"{table}: no rows; expected at least one")
    try:
        # numbered anew: a label that stands twice in the index would name no row
        DataFrameSchema(columns).validate(frame.reset_index(drop=True))
    except pandera.errors.SchemaError as error:
        cases, column = error.failure_cases, error.schema.name
        by_row = isinstance(cases, pd.DataFrame) and cases["index"].notna().all()
        if not by_row:  # not a row's fault: a column is missing or of the wrong type
            names = ", ".join(columns)
            raise InputError(f"{table}: {error}; expected the columns {names}") from error
        row, value = int(cases["index"].iloc[0]), cases["failure_case"].tolist()[0]
        rules = [check.error for check in columns[column].checks]
        rule = getattr(error.check, "error", None) or next(iter(rules), "a text")
        if error.check == "field_uniqueness":
            rule = "an id that stands in one row only"
        raise RowError(table, row, f"{column} {value!r}", f"{column}: {rule}") from error
