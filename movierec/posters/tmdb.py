"""TMDB's official API."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from movierec.data.titles import title_forms
from movierec.errors import ProviderError
from movierec.posters.client import Client, clean
from movierec.posters.films import LONGEST_OVERVIEW, LONGEST_TITLE, Film, Found, best_match
from movierec.trust import Form, Some


class _TmdbFilm(Form):
    id: Annotated[int, Field(gt=0, lt=2**31)]
    title: str
    original_title: str = ""
    overview: str | None = None
    poster_path: str | None = None
    release_date: str | None = None


class _TmdbPage(Form):
    results: Annotated[list[_TmdbFilm], Field(max_length=100)]


@dataclass(kw_only=True)
class Tmdb(Client):
    """TMDB, https://www.themoviedb.org.

    Reference:
        https://developer.themoviedb.org/reference/search-movie
    """

    label = "TMDB"
    attribution = "This product uses the TMDB API but is not endorsed or certified by TMDB."
    key: str = field(repr=False)  # an access token
    language: str = "en-US"  # of titles, overviews and posters
    interval: float = 0.05  # TMDB allows some 40 a second
    api: str = "https://api.themoviedb.org"
    images: str = "https://image.tmdb.org"

    def look_up(self, film: Film) -> Found | None:
        """The film by its number, else by its title and year; None where no film is surely it.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """
        found = None
        if film.tmdb_id is not None:
            found = self._film(film.tmdb_id)
        if found is None and (same := self._search(film)):
            # found by its English title; other languages are asked for by number
            found = same if self.language == "en-US" else self._film(same.id)
        if found is None:
            return None
        return Found(
            clean(found.title, LONGEST_TITLE),
            clean(found.overview or "", LONGEST_OVERVIEW),
            self._poster_url(found.poster_path),
        )

    def _film(self, tmdb_id: int) -> _TmdbFilm | None:
        film = self._ask(_TmdbFilm, f"/3/movie/{tmdb_id}", {"language": self.language})
        if film is not None and film.id != tmdb_id:
            raise ProviderError(f"{self.label} answered with another film", "bad")
        return film

    def _search(self, film: Film) -> _TmdbFilm | None:
        forms = title_forms(film.title)
        wanted: list[tuple[str, dict[str, str]]] = []
        if film.year is not None:
            wanted += [(form, {"year": str(film.year)}) for form in forms[:2]]
        wanted += [(forms[0], {})]
        for query, year in wanted:
            asked = {"query": query, "language": "en-US", "include_adult": "false"}
            page = self._ask(_TmdbPage, "/3/search/movie", asked | year)
            films = [] if page is None else page.results
            names = [
                ([same.title, same.original_title], (same.release_date or "")[:4]) for same in films
            ]
            if (place := best_match(film, names)) is not None:
                return films[place]
        return None

    def _ask(self, form: type[Some], path: str, query: dict[str, str]) -> Some | None:
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", self.key):
            raise ProviderError("the key of TMDB has characters that no key has", "refused")
        key = f"Bearer {self.key}"
        return self._json(form, f"{self.api}{path}", query, Authorization=key)

    def _poster_url(self, path: str | None) -> str | None:
        if path is None or not re.fullmatch(r"/[A-Za-z0-9_-]{1,100}\.(jpg|png|webp)", path):
            return None
        return f"{self.images}/t/p/w342{path}"
