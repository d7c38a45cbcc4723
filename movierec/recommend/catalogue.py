"""The films and who rated them: found, described, selected by conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from movierec.data.features import GENDERS, Features
from movierec.data.tables import AGE_BAND_NAMES, Tables
from movierec.data.titles import find_movies, resolve_movie
from movierec.errors import InputError

FEW = 20  # people whose ratings are read one by one


class Catalogue:
    """The data of a run, asked by row numbers or ids; its arguments are those of `Recommender`.

    Seen films are all that a user rates in the tables, held-out rows included: nobody wants to be
    shown a film that they have rated. `lowest` and `highest` are stars that were given.
    """

    def __init__(
        self,
        tables: Tables,
        features: Features,
        learned: npt.NDArray[np.bool_] | Callable[[], npt.NDArray[np.bool_]] | None = None,
        stars: tuple[float, float] | None = None,
        rated_by: Callable[[int], pd.DataFrame] | None = None,
    ) -> None:
        self.tables = tables
        self.features = features
        self._learned, self._rated_by = learned, rated_by
        self._alone = 0  # people whose ratings were read without the others'
        given: Sequence[float] = stars or tables.ratings["rating"].agg(["min", "max"]).tolist()
        self.lowest, self.highest = given

    def check_stars(self, stars: npt.ArrayLike) -> None:
        """Refuse ratings, (n,), that are not within the stars of the data."""
        given = pd.to_numeric(np.asarray(stars), errors="coerce")
        if len(stray := given[~((given >= self.lowest) & (given <= self.highest))]):
            raise InputError(
                f"got a rating of {stray[0]:g}; expected {self.lowest:g} to {self.highest:g} stars"
            )

    @cached_property
    def learned(self) -> npt.NDArray[np.bool_]:
        """Which of the ratings the training was given, (ratings,); the others are held out."""
        if self._learned is None:
            return np.ones(len(self.tables.ratings), np.bool_)
        return self._learned() if callable(self._learned) else self._learned

    def where(
        self,
        genres: Sequence[str] = (),
        without: Sequence[str] = (),
        years: tuple[int | None, int | None] = (None, None),
        ratings: tuple[int | None, int | None] = (None, None),
        deny: Sequence[int] = (),
    ) -> npt.NDArray[np.int64]:
        """The ids of the films that meet all conditions, for the argument `among` of the modes.

        Args:
            genres: names, in either case, of which a film has to have at least one; none: any film.
            without: names, of which it may have none.
            years: first and last year; None: open. A film of unknown year meets only (None, None).
            ratings: least and most ratings in the data; None: open.
            deny: movie ids to leave out.
        """
        movies, slots = self.features.movies, self.features.movie_fields["genres"]
        spelt = {name.casefold(): place for place, name in enumerate(self.features.genres) if place}
        if stray := sorted(name for name in {*genres, *without} if name.casefold() not in spelt):
            known = ", ".join(self.features.genres[1:]) or "none, since the data has no genres"
            raise InputError(f"unknown genre {stray[0]!r}; expected some of {known}")

        def has(names: Sequence[str]) -> Any:
            return np.isin(slots, [spelt[name.casefold()] for name in names]).any(axis=1)

        for low, high in (years, ratings):
            if low is not None and high is not None and low > high:
                raise InputError(f"got the range {low} to {high}; expected the lower number first")
        met = self.is_film & ~has(without) & (has(genres) if genres else self.is_film)
        for value, (low, high) in ((self.features.years, years), (self.rated_counts, ratings)):
            if low is not None:
                met &= value >= low
            if high is not None:
                met &= value <= high
        met[movies.encode(np.asarray(deny))] = False
        return movies.decode(np.flatnonzero(met))

    def describe(
        self,
        movie_idx: npt.NDArray[np.integer],
        scores: npt.NDArray[np.float32] | None = None,
        stars: npt.NDArray[np.float32] | None = None,
    ) -> pd.DataFrame:
        """(n,) film rows in words: `movie_id`, `title`, `year` and `genres`, in the order given.

        With (n,) scores comes `score`, and with (n,) stars `predicted`, within those of the data.
        """
        place = np.searchsorted(self.features.movies.used, movie_idx)  # the table is in id order
        names = "movie_id", "title", "year", "genres"
        columns = {name: self.tables.movies[name].array.take(place) for name in names}
        if scores is not None:
            columns["score"] = scores
        if stars is not None:
            columns["predicted"] = np.clip(stars, self.lowest, self.highest)
        return pd.DataFrame(columns)  # at once: each change of a frame takes a while

    def describe_people(self, user_idx: npt.NDArray[np.integer]) -> pd.DataFrame:
        """User rows in words: `user_id`, and `gender`, `age` (band), `occupation` if known."""
        frame = pd.DataFrame({"user_id": self.features.users.decode(user_idx)})
        if fields := self.features.user_fields:
            frame["gender"] = [GENDERS[code] for code in fields["gender"][user_idx]]
            frame["age"] = [AGE_BAND_NAMES[band] for band in fields["age"][user_idx]]
            occupations = self.tables.occupations
            frame["occupation"] = [occupations[code] for code in fields["job"][user_idx]]
        return frame

    def find(self, text: str, k: int = 10) -> pd.DataFrame:
        """The films whose titles come nearest to a text; see `titles.find_movies`."""
        return find_movies(self.tables.movies, text, k)

    def movie_id(self, text: str) -> int:
        """The id of the one film that a text names; see `titles.resolve_movie`."""
        return resolve_movie(self.tables.movies, text)

    def title(self, movie_id: int) -> str:
        """A film's title."""
        return str(self.describe(self.features.movies.encode([movie_id]))["title"].iloc[0])

    def seen(
        self, user_idx: int, learned_only: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The films that a user has rated (or has as the training saw), by row, and the stars."""
        # these rows and no others are read, until there were so many that all take less time
        if self._rated_by and self._alone < FEW and "ratings" not in vars(self):
            self._alone += 1
            rows = self._rated_by(int(self.features.users.decode(user_idx)))
            rows = rows[rows["learned"]] if learned_only else rows
            movie_idx = self.features.movies.encode(rows["movie_id"])
            order = np.argsort(movie_idx)
            return movie_idx[order], rows["rating"].to_numpy(np.float32)[order]
        ratings = self.ratings
        part = slice(*ratings.indptr[user_idx : user_idx + 2])
        kept = self._learned_by_user.data[part] if learned_only else slice(None)
        return ratings.indices[part][kept], ratings.data[part][kept]

    def raters(self, movie_idx: int) -> npt.NDArray[np.int32]:
        """The rows of the users who have rated a film, ascending."""
        return self._by_film.indices[slice(*self._by_film.indptr[movie_idx : movie_idx + 2])]

    @cached_property
    def star_values(self) -> list[float]:
        """The stars that can be given, ascending: whole ones, or halves where the data has them."""
        step = 1.0 if np.all(np.mod(self.tables.ratings["rating"], 1) == 0) else 0.5
        return np.arange(self.lowest, self.highest + step / 2, step).tolist()

    @cached_property
    def is_film(self) -> npt.NDArray[np.bool_]:
        """Which rows are films, (movie rows,); some are free."""
        return self.features.movies.ids >= 0

    @cached_property
    def ratings(self) -> sparse.csr_array:
        """Stars given, (user rows, movie rows); each user's films ascending."""
        return self._by_user(self.tables.ratings["rating"].to_numpy(dtype=np.float32))

    @cached_property
    def _learned_by_user(self) -> sparse.csr_array:
        return self._by_user(self.learned)

    def _by_user(self, values: npt.NDArray[Any]) -> sparse.csr_array:
        """What there is of each rating, by user and film."""
        sides = ("user_id", self.features.users), ("movie_id", self.features.movies)
        place = tuple(known.encode(self.tables.ratings[column]) for column, known in sides)
        return sparse.csr_array((values, place), shape=tuple(len(known) for _, known in sides))

    @cached_property
    def _by_film(self) -> sparse.csc_array:
        return self.ratings.tocsc()

    @cached_property
    def rated_counts(self) -> npt.NDArray[np.int64]:
        """Ratings of each film in the data, (movie rows,)."""
        return np.diff(self._by_film.indptr).astype(np.int64)
