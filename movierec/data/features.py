"""Ids, demographics, genres and title words to indices, and back.

This is the only place where a raw id (`_id`) becomes an encoded row number (`_idx`) or comes back.
Index 0 always means "none": the unknown user, the unknown movie, the padding of genres and titles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from movierec.data.tables import AGE_BANDS, YEAR, Tables
from movierec.errors import InputError

GENDERS = ("F", "M")
TITLE_LENGTH = 15  # words, the longest title of ML-1M
MOST_GENRES = 1000  # each film has a slot for each genre: a genre a film would fill the memory
NO_GENRES = "(no genres listed)"  # how the CSV sets write an empty list


@dataclass(frozen=True)
class IdVocabulary:
    """Raw ids by row number."""

    kind: str  # "user" or "movie", for messages
    ids: npt.NDArray[np.int64]  # (rows,): of each row, -1 for row 0 and for rows that no id uses

    @classmethod
    def fit(cls, kind: str, ids: npt.ArrayLike) -> IdVocabulary:
        """Number the ids: in order, from 1.

        Where they are nearly 1...n, as in ML-1M, each is its own row; rows of gaps stay free.
        """
        known = np.unique(np.asarray(ids, dtype=np.int64))
        if known[0] >= 1 and known[-1] <= 2 * len(known):
            rows = np.full(known[-1] + 1, -1, dtype=np.int64)
            rows[known] = known
        else:
            rows = np.concatenate([[-1], known])
        return cls(kind, rows)

    def __len__(self) -> int:
        """Number of rows, the free ones included."""
        return len(self.ids)

    @cached_property
    def used(self) -> npt.NDArray[np.int32]:
        """The row numbers that belong to an id, ascending; so are their ids."""
        return np.flatnonzero(self.ids >= 0).astype(np.int32)

    @cached_property
    def _known(self) -> npt.NDArray[np.int64]:
        return self.ids[self.used]  # kept: with 100,000 of them a look for one would take as long

    def encode(self, ids: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Row numbers of raw ids, same shape.

        Raises:
            InputError: an id that this vocabulary does not know.
        """
        wanted = np.asarray(ids)
        if wanted.size and wanted.dtype.kind not in "iuf":
            raise InputError(f"got {self.kind} ids of type {wanted.dtype}; expected whole numbers")
        known = self._known
        # ascending as their rows are, which are 1...n or the ids: then is nothing to search for
        if wanted.dtype.kind in "iu" and (known[[0, -1]] == self.used[[0, -1]]).all():
            rows = np.clip(wanted, known[0], known[-1]).astype(np.int32)
        else:
            rows = self.used[np.minimum(np.searchsorted(known, wanted), len(known) - 1)]
        stray = self.ids[rows] != wanted
        if np.any(stray):
            unknown = np.unique(wanted[stray])
            shown = ", ".join(map(str, unknown[:5])) + (" ..." if len(unknown) > 5 else "")
            raise InputError(
                f"unknown {self.kind} id {shown}; expected one of the {len(known)} {self.kind}s "
                f"of this data, with ids from {known[0]} to {known[-1]}"
            )
        return rows

    def decode(self, idx: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Raw ids of row numbers, same shape; -1 for a free row."""
        return self.ids[np.asarray(idx)]


@dataclass(frozen=True)
class Sizes:
    """What the network needs to know of the data: the rows of each embedding matrix.

    Zero genders, ages and jobs mean that the data has no demographics.
    """

    users: int
    genders: int
    ages: int
    jobs: int
    movies: int
    genres: int
    words: int
    genre_slots: int
    title_length: int


@dataclass(frozen=True)
class Features:
    """The encoded tables, looked up by row number."""

    users: IdVocabulary
    movies: IdVocabulary
    genres: list[str]  # names by index, as `words`; index 0 is the padding, ""
    words: list[str]
    # (user rows,) each: `gender` (F 0, M 1), `age` (band 0...6), `job` (occupation code), 0 in free
    # rows; empty without demographics
    user_fields: dict[str, npt.NDArray[np.int32]]
    # `genres` (movie rows, genre slots) and `title` (movie rows, title length), padded with 0
    movie_fields: dict[str, npt.NDArray[np.int32]]
    years: npt.NDArray[np.float32]  # (movie rows,), NaN where unknown and in free rows
    occupations: int = 0  # number of codes

    @classmethod
    def fit(cls, tables: Tables, title_length: int = TITLE_LENGTH) -> Features:
        """Learn the vocabularies from the users and the catalogue, and encode both.

        Args:
            tables: validated tables.
            title_length: words kept of a title.

        Raises:
            InputError: more than `MOST_GENRES` different genres.
        """
        titles = [title_words(title) for title in tables.movies["title"].tolist()]
        listed = {text: split_genres(text) for text in tables.movies["genres"].unique()}
        genre_lists = [listed[text] for text in tables.movies["genres"].tolist()]
        genres = ["", *sorted({genre for row in listed.values() for genre in row})]
        if len(genres) - 1 > MOST_GENRES:
            raise InputError(
                f"the movies have {len(genres) - 1:,} different genres; expected {MOST_GENRES:,} "
                "at most, in each film joined by |. Give the genres alone, without keywords"
            )
        words = ["", *dict.fromkeys(word for title in titles for word in title)]
        users = IdVocabulary.fit("user", tables.users["user_id"])
        movies = IdVocabulary.fit("movie", tables.movies["movie_id"])
        movie_fields = {
            "genres": _padded(genre_lists, genres, movies, max(len(genres) - 1, 1)),
            "title": _padded(titles, words, movies, title_length),
        }
        years = np.full(len(movies), np.nan, dtype=np.float32)
        years[movies.used] = tables.movies["year"].astype("Float32").to_numpy(na_value=np.nan)
        user_fields = {}
        if tables.has_demographics:
            genders = tables.users["gender"].map(GENDERS.index)
            bands = np.searchsorted(AGE_BANDS, tables.users["age"], side="right") - 1
            codes = genders, np.maximum(bands, 0), tables.users["occupation"]
            for field, values in zip(("gender", "age", "job"), codes, strict=True):
                user_fields[field] = np.zeros(len(users), dtype=np.int32)
                user_fields[field][users.used] = values
        fields = user_fields, movie_fields
        return cls(users, movies, genres, words, *fields, years, len(tables.occupations))

    @property
    def sizes(self) -> Sizes:
        """The rows of each embedding matrix."""
        known = bool(self.user_fields)
        people = len(GENDERS) * known, len(AGE_BANDS) * known, self.occupations * known
        slots = (self.movie_fields[field].shape[1] for field in ("genres", "title"))
        names = len(self.genres), len(self.words)
        return Sizes(len(self.users), *people, len(self.movies), *names, *slots)


def title_words(title: str) -> list[str]:
    """The words of a title without its year: "Toy Story (1995)" gives ["Toy", "Story"]."""
    return YEAR.sub("", title).split()


def split_genres(genres: str) -> list[str]:
    """The genres of a movie: "Animation|Comedy" gives ["Animation", "Comedy"]."""
    listed = dict.fromkeys(genres.split("|"))  # a genre that stands there twice is one genre
    return [genre for genre in listed if genre and genre != NO_GENRES]


def _padded(
    rows: list[list[str]], vocabulary: list[str], movies: IdVocabulary, width: int
) -> npt.NDArray[np.int32]:
    index = {entry: i for i, entry in enumerate(vocabulary)}
    table = np.zeros((len(movies), width), dtype=np.int32)
    filled = np.arange(width) < np.array([len(row) for row in rows])[:, None]
    place = np.zeros(filled.shape, np.int32)
    place[filled] = [index[entry] for row in rows for entry in row[:width]]
    table[movies.used] = place
    return table
