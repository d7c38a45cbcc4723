"""A provider: what it is asked, what it answers, and how fast it may be asked."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Film:
    """A film as a provider is asked for it.

    Attributes:
        title: as MovieLens writes it, such as "Matrix, The (1999)".
        year: None if unknown.
        tmdb_id, imdb_id: its numbers there, where the data set tells them.
    """

    title: str
    year: int | None = None
    tmdb_id: int | None = None
    imdb_id: int | None = None


@dataclass(frozen=True)
class Found:
    """A film as a provider describes it, its picture not yet fetched."""

    title: str | None
    overview: str | None
    poster_url: str | None


@dataclass(frozen=True)
class Details:
    """What a page may show of a film.

    Attributes:
        title: in the language that was asked for, where the provider has one; plain text.
        overview: what it is about, in a few sentences; plain text.
        poster: a JPEG of at most 342 by 513 pixels, decoded and written anew here.
        source: the provider's name, such as "TMDB".
    """

    title: str | None
    overview: str | None
    poster: bytes | None
    source: str


class Pace(Protocol):
    """How fast a provider may be asked."""

    def turn(self) -> None:
        """Wait until one request may be sent.

        Raises:
            ProviderError: the turn is too far away.
        """

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the work."""


class Provider(Protocol):
    """Who is asked: `tmdb.Tmdb`, `douban.Douban`.

    Attributes:
        name: as in settings, and in the cache.
        label: as people read it.
        language: of titles and overviews, such as "zh-CN".
        attribution: what a page that shows the answers has to say, as plain text.
        interval: seconds between requests.
    """

    name: str
    label: str
    language: str
    attribution: str
    interval: float

    def look_up(self, film: Film, pace: Pace) -> Found | None:
        """The film, or None where the provider has none that is surely the same.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """

    def poster(self, url: str, pace: Pace) -> bytes:
        """A picture as a JPEG.

        Raises:
            ProviderError: there is none, or none that can be used.
        """

    def close(self) -> None:
        """Let connections go."""


def films_of(movies: pd.DataFrame) -> Iterator[tuple[int, Film]]:
    """Id and film of each row.

    Args:
        movies: with `movie_id`, `title`, and `year`, `tmdb_id` and `imdb_id` where they are known.
    """
    numbers = (
        movies[name].astype("Float64").to_numpy(float, na_value=math.nan).tolist()
        if name in movies
        else [math.nan] * len(movies)
        for name in ("year", "tmdb_id", "imdb_id")
    )
    for movie_id, title, *row in zip(movies["movie_id"], movies["title"], *numbers, strict=True):
        yield int(movie_id), Film(title, *(None if math.isnan(n) else int(n) for n in row))
