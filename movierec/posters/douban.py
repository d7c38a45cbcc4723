"""Douban's look-up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, RootModel

from movierec.data.titles import title_forms
from movierec.posters.client import Provider, clean
from movierec.posters.provider import LONGEST_TITLE, Film, Found, best_match
from movierec.trust import Form


class _DoubanFilm(Form):
    title: str
    sub_title: str = ""
    year: str = ""
    img: str = ""


class _Suggested(RootModel[Annotated[list[_DoubanFilm], Field(max_length=100)]]):
    """The films that its search box shows."""


@dataclass(kw_only=True)
class Douban(Provider):
    """Douban, https://movie.douban.com: Chinese titles and posters, without a key.

    The look-up is that of its search box. It is no official API: it refuses who asks often, and is
    then left alone for an hour.

    Args:
        api: its host, or another for tests.
        images: a pattern of the hosts of its pictures.
    """

    name = "douban"
    label = "Douban"
    attribution = "Titles and pictures come from Douban, movie.douban.com."
    language: str = "zh-CN"
    interval: float = 3.0
    api: str = "https://movie.douban.com"
    images: str = r"https://img\d{1,2}\.doubanio\.com"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._session.headers["Referer"] = f"{self.api}/"  # without it there are no pictures

    def look_up(self, film: Film) -> Found | None:
        """The film by its IMDb number, else by its title and year; None where none is surely it."""
        if film.imdb_id is not None and (found := self._suggested(f"tt{film.imdb_id:07d}")):
            return self._found(found[0])
        found = self._suggested(title_forms(film.title)[0])
        names = [([same.title, same.sub_title], same.year) for same in found]
        place = best_match(film, names)
        return None if place is None else self._found(found[place])

    def _suggested(self, query: str) -> list[_DoubanFilm]:
        found = self._json(_Suggested, f"{self.api}/j/subject_suggest", {"q": query})
        return found.root if found else []

    def _found(self, film: _DoubanFilm) -> Found:
        own = re.match(f"(?:{self.images})/", film.img)
        usable = own and "default" not in film.img  # its own placeholder
        return Found(clean(film.title, LONGEST_TITLE), None, film.img if usable else None)
