"""TMDB's official API, asked by HTTP that trusts nobody.

No redirection is followed; an answer is read up to a length and a time, and must have the form that
is documented. A key goes to TMDB alone: into no address, no message, no log and no other host.
"""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

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
    Details,
    Film,
    ProviderError,
    best_match,
)
from movierec.posters.harmless import clean, redrawn
from movierec.trust import Form, Some, read_json

if TYPE_CHECKING:
    from movierec.posters.cache import Pace

LONGEST = 15.0  # seconds until the content of an answer must be there; headers are not covered
TRIES = 3
JSON = "application/json"
LEFT_ALONE = 3_600.0  # seconds for a provider that says that it is asked too often
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

    label = "TMDB"
    attribution = "This product uses the TMDB API but is not endorsed or certified by TMDB."
    key: str = field(repr=False)  # an access token
    language: str = "en-US"  # of titles, overviews and posters
    interval: float = 0.05  # seconds between requests; TMDB allows some 40 a second
    api: str = "https://api.themoviedb.org"
    images: str = "https://image.tmdb.org"
    silence: float = 5.0  # seconds that a server may keep silent
    backoff: float = 0.5  # seconds before the second try, twice that before the third
    pace: Pace = field(init=False, repr=False)  # waited for before each request; set by `Metadata`

    def __post_init__(self) -> None:
        self._session = requests.Session()
        # whoever runs a service should see who asks it, and how to reach them
        self._session.headers["User-Agent"] = f"movierec/{__version__}"
        self._session.headers["Accept-Encoding"] = "identity"  # nothing that unpacks to a gigabyte
        # a login for "any host" in ~/.netrc would go in place of the token
        self._session.auth = lambda request: request

    def look_up(self, film: Film) -> Details | None:
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
        poster, whole = None, True
        try:
            poster = self._poster(found.poster_path or "")
        except ProviderError as error:
            log.warning("poster of %s: %s", film.title, error)
            whole = False
        title = clean(found.title, LONGEST_TITLE)
        overview = clean(found.overview or "", LONGEST_OVERVIEW)
        return Details(title, overview, poster, self.label, whole)

    def _poster(self, path: str) -> bytes | None:
        """A picture as a JPEG; None where it has none."""
        if not re.fullmatch(r"/[A-Za-z0-9_-]{1,100}\.(jpg|png|webp)", path):
            return None
        content = self._fetch(f"{self.images}/t/p/w342{path}", "image/", {}, {})
        if content is None:
            raise ProviderError("there is no such picture", "bad")
        return redrawn(content)

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
        """The JSON at a path of the API; None where it says that there is nothing."""
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", self.key):
            raise ProviderError("the key of TMDB has characters that no key has", "refused")
        headers = {"Accept": JSON, "Authorization": f"Bearer {self.key}"}
        content = self._fetch(f"{self.api}{path}", JSON, query, headers)
        if content is None:
            return None
        try:
            return read_json(content, form)
        except InputError as error:
            raise self._bad(f"answered in another form: {error}") from None

    def close(self) -> None:
        """Let connections go."""
        self._session.close()

    def _fetch(
        self, url: str, kind: str, query: dict[str, str], headers: dict[str, str]
    ) -> bytes | None:
        """What is at an address, asked for up to `TRIES` times.

        The content may take `LONGEST` seconds. What comes before it, the status and the headers, is
        only bounded in its silence: a server that sends it byte by byte, never silent for long,
        holds a request for as long as http.client takes to read its limit of lines.
        """
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, ProviderError) and error.kind == "silent"
            ),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_exponential_jitter(multiplier=self.backoff, jitter=self.backoff),
            sleep=self.pace.sleep,
            reraise=True,
        )
        return again(self._fetch_once, url, kind, query, headers)

    def _fetch_once(
        self, url: str, kind: str, query: dict[str, str], headers: dict[str, str]
    ) -> bytes | None:
        self.pace.turn()
        ends = time.monotonic() + LONGEST
        try:
            with self._session.get(
                url,
                params=query,
                headers=headers,
                stream=True,
                timeout=self.silence,
                allow_redirects=False,  # it would read any length, and follow anywhere
            ) as answer:
                return self._content(answer, kind, ends)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._silent(f"did not answer within {self.silence:g} seconds") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._silent(f"could not be reached ({type(error).__name__})") from None
        except ValueError as error:  # requests looks at where a redirection leads in any case
            raise self._bad(f"named an address that is none ({type(error).__name__})") from None

    def _content(self, answer: requests.Response, kind: str, ends: float) -> bytes | None:
        status = answer.status_code
        if status == 404:
            return None
        if status == 401:
            raise ProviderError(f"{self.label} does not accept the key", "refused")
        if status == 403:  # what is said to who asks too often
            self.pace.rest(LEFT_ALONE)
            raise self._silent(f"refuses to answer (status {status})")
        if status in (408, 425, 429) or status >= 500:
            asked = answer.headers.get("Retry-After", "")  # seconds or a date
            with suppress(urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
                self.pace.rest(urllib3.Retry().parse_retry_after(asked))
            raise self._silent(f"answered with status {status}")
        if status != 200:
            raise self._bad(f"answered with status {status}")
        told = answer.headers.get("Content-Type", "").lower()
        if not told.startswith(kind):
            raise self._bad(f"answered with {clean(told, 40) or 'no content type'}, not {kind}")
        content = bytearray()
        # read1: whatever has come, where read() would wait; and as it came, not unpacked
        while chunk := answer.raw.read1(2**16):
            content += chunk
            if len(content) > LARGEST:
                raise self._bad(f"answered with more than {LARGEST:,} bytes")
            if time.monotonic() > ends:
                raise self._silent(f"took more than {LONGEST:g} seconds to answer")
        return bytes(content)

    def _bad(self, what: str) -> ProviderError:
        return ProviderError(f"{self.label} {what}", "bad")

    def _silent(self, what: str) -> ProviderError:
        return ProviderError(f"{self.label} {what}", "silent")
