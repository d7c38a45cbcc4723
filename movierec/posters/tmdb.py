"""TMDB's official API, asked by HTTP that trusts nobody.

A key goes to TMDB alone: into no address, no message, no log and no other host.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import requests
import tenacity
import urllib3
from pydantic import Field

from movierec import __version__
from movierec.data.titles import title_forms
from movierec.errors import InputError
from movierec.logs import logger
from movierec.posters.films import (
    LONGEST_OVERVIEW,
    LONGEST_TITLE,
    NOTHING,
    Details,
    Film,
    ProviderError,
    best_match,
)
from movierec.posters.harmless import clean, redrawn
from movierec.trust import Form, Some, read_json

if TYPE_CHECKING:
    from movierec.posters.cache import Cache

API, IMAGES = "https://api.themoviedb.org", "https://image.tmdb.org"
LONGEST = 15.0  # seconds until the content of an answer must be there; headers are not covered
TRIES = 3
JSON = "application/json"
LARGEST = 2**20  # bytes; a poster has some 30,000, a page of search results some 20,000

log = logger(__name__)


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
class Tmdb:
    """TMDB, https://www.themoviedb.org.

    Reference:
        https://developer.themoviedb.org/reference/search-movie
    """

    attribution = "This product uses the TMDB API but is not endorsed or certified by TMDB."
    key: str = field(repr=False)  # an access token
    language: str = "en-US"  # of titles, overviews and posters
    mirror: str = ""  # an address that is asked in place of its own
    interval: float = 0.05  # seconds between requests; TMDB allows some 40 a second
    silence: float = 5.0  # seconds that a server may keep silent
    backoff: float = 0.5  # seconds before the second try, twice that before the third
    cache: Cache = field(init=False, repr=False)  # whose turns are waited for; set by `Metadata`

    def __post_init__(self) -> None:
        self._session = requests.Session()
        # whoever runs a service should see who asks it, and how to reach them
        self._session.headers["User-Agent"] = f"movierec/{__version__}"
        self._session.headers["Accept-Encoding"] = "identity"  # nothing that unpacks to a gigabyte
        # a login for "any host" in ~/.netrc would go in place of the token
        self._session.auth = lambda request: request

    def look_up(self, film: Film) -> Details:
        """The film by its number, else by its title and year; `NOTHING` where none is surely it.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """
        found = None if film.tmdb_id is None else self._film(film.tmdb_id)
        if found is None and (same := self._search(film)):
            # found by its English title; other languages are asked for by number
            found = same if self.language == "en-US" else self._film(same.id)
        if found is None:
            return NOTHING
        texts = clean(found.title, LONGEST_TITLE), clean(found.overview or "", LONGEST_OVERVIEW)
        try:
            return Details(*texts, self._poster(found.poster_path or ""))
        except ProviderError as error:
            log.warning("poster of %s: %s", film.title, error)
            return Details(*texts, None)

    def _poster(self, path: str) -> bytes | None:
        """A picture as a JPEG; None where it has none."""
        if not re.fullmatch(r"/[A-Za-z0-9_-]{1,100}\.(jpg|png|webp)", path):
            return None
        content = self._fetch(f"{self.mirror or IMAGES}/t/p/w342{path}", "image/")
        if content is None:
            raise ProviderError("there is no such picture", "bad")
        return redrawn(content)

    def _film(self, tmdb_id: int) -> _TmdbFilm | None:
        film = self._ask(_TmdbFilm, f"/3/movie/{tmdb_id}", {"language": self.language})
        if film is not None and film.id != tmdb_id:
            raise _bad("answered with another film")
        return film

    def _search(self, film: Film) -> _TmdbFilm | None:
        forms = title_forms(film.title)
        asked = {"language": "en-US", "include_adult": "false"}
        year = {} if film.year is None else {"year": str(film.year)}
        for title, more in [*((form, year) for form in forms[:2] if year), (forms[0], {})]:
            page = self._ask(_TmdbPage, "/3/search/movie", {"query": title} | asked | more)
            films = [] if page is None else page.results
            names = [
                ([one.title, one.original_title], (one.release_date or "")[:4]) for one in films
            ]
            if (place := best_match(film, names)) is not None:
                return films[place]
        return None

    def _ask(self, form: type[Some], path: str, query: dict[str, str]) -> Some | None:
        """The JSON at a path of the API; None where it says that there is nothing."""
        headers = {"Accept": JSON, "Authorization": f"Bearer {self.key}"}
        content = self._fetch(f"{self.mirror or API}{path}", JSON, params=query, headers=headers)
        try:
            return None if content is None else read_json(content, form)
        except InputError as error:
            raise _bad(f"answered in another form: {error}") from None

    def close(self) -> None:
        """Let connections go."""
        self._session.close()

    def _fetch(self, url: str, kind: str, **asked: Any) -> bytes | None:
        """What is at an address, asked for up to `TRIES` times; None where it has nothing.

        The content may take `LONGEST` seconds. What comes before it, the status and the headers, is
        only bounded in its silence: a server that sends it byte by byte, never silent for long,
        holds a request for as long as http.client takes to read its limit of lines.
        """
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: getattr(error, "kind", "") == "silent"),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_exponential_jitter(multiplier=self.backoff, jitter=self.backoff),
            sleep=self.cache.sleep,
            reraise=True,
        )
        return again(self._fetch_once, url, kind, asked)

    def _fetch_once(self, url: str, kind: str, asked: dict[str, Any]) -> bytes | None:
        self.cache.turn()
        ends = time.monotonic() + LONGEST
        try:
            # a redirection would be read at any length, and followed anywhere
            with self._session.get(
                url, **asked, stream=True, timeout=self.silence, allow_redirects=False
            ) as answer:
                return self._content(answer, kind, ends)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _silent(f"did not answer within {self.silence:g} seconds") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _silent(f"could not be reached ({type(error).__name__})") from None
        except ValueError as error:  # requests looks at where a redirection leads in any case
            raise _bad(f"named an address that is none ({type(error).__name__})") from None

    def _content(self, answer: requests.Response, kind: str, ends: float) -> bytes | None:
        status = answer.status_code
        if status == 404:
            return None
        if status == 401:
            raise ProviderError("TMDB does not accept the key", "refused")
        if status in (403, 408, 425, 429) or status >= 500:
            # seconds or a date; 403 is said to who asks too often
            asked = "3600" if status == 403 else answer.headers.get("Retry-After", "")
            with suppress(urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
                self.cache.rest(urllib3.Retry().parse_retry_after(asked))
            raise _silent(f"answered with status {status}")
        if status != 200:
            raise _bad(f"answered with status {status}")
        told = answer.headers.get("Content-Type", "").lower()
        if not told.startswith(kind):
            raise _bad(f"answered with {clean(told, 40) or 'no content type'}, not {kind}")
        content = bytearray()
        # read1: whatever has come, where read() would wait; and as it came, not unpacked
        while chunk := answer.raw.read1(2**16):
            content += chunk
            if len(content) > LARGEST:
                raise _bad(f"answered with more than {LARGEST:,} bytes")
            if time.monotonic() > ends:
                raise _silent(f"took more than {LONGEST:g} seconds to answer")
        return bytes(content)


def _bad(what: str) -> ProviderError:
    return ProviderError(f"TMDB {what}", "bad")


def _silent(what: str) -> ProviderError:
    return ProviderError(f"TMDB {what}", "silent")
