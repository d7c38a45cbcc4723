"""Who is asked for posters and titles, over HTTP: TMDB's official API, and Douban's look-up.

What comes back is trusted in nothing. Addresses outside the provider's own hosts are not followed,
neither in redirections nor in answers; an answer is read up to a length and a time, and must have
the form that is documented; text loses its control characters; a picture is decoded and written
anew. A key goes to the provider alone: into no message, no log and no other host.
"""

from __future__ import annotations

import io
import logging
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from rapidfuzz import fuzz

from movierec import __version__
from movierec.data.titles import plain_title, title_forms
from movierec.errors import ProviderError
from movierec.explorer.metadata import Film, Found, Pace

SILENCE = 5.0  # seconds that a server may keep silent
LONGEST = 15.0  # seconds until the content of an answer must be there; headers are not covered
TRIES = 3
BACKOFF = 0.5  # seconds before the second try, twice that before the third, and as much by chance
REDIRECTIONS = 3
LARGEST_TEXT = 2**20  # bytes; a page of search results has some 20,000
LARGEST_PICTURE = 2**20  # bytes; a poster has some 30,000
MOST_PIXELS = 2**22
MOST_SCANS = 100  # of a JPEG, each a pass over all its pixels; a progressive one has about ten
POSTER_SIZE = (342, 513)  # pixels, of TMDB's posters of width 342

LONGEST_TITLE, LONGEST_OVERVIEW = 200, 2_000  # characters that are kept
LIKENESS = 90.0  # of titles, 0 to 100, below which two films are not the same
YEARS_APART = 1  # a film's year is that of its first showing, or of its first run: they differ

_PICTURES: Mapping[bytes, Callable[[io.BytesIO], Image]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
}


# --- what answers must look like ---------------------------------------------------------------


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)  # fields that are not named are left alone


class _TmdbFilm(_Answer):
    id: Annotated[int, Field(gt=0, lt=2**31)]
    title: str
    original_title: str = ""
    overview: str | None = None
    poster_path: str | None = None
    release_date: str | None = None


class _TmdbPage(_Answer):
    results: Annotated[list[_TmdbFilm], Field(max_length=100)]


class _DoubanFilm(_Answer):
    title: str
    sub_title: str = ""
    year: str = ""
    img: str = ""


_FILM = TypeAdapter(_TmdbFilm)
_PAGE = TypeAdapter(_TmdbPage)
_SUGGESTED = TypeAdapter(Annotated[list[_DoubanFilm], Field(max_length=100)])


# --- the providers -----------------------------------------------------------------------------


@dataclass
class Tmdb:
    """TMDB, https://www.themoviedb.org.

    Args:
        key: of its API: an access token ("v4"), or the older key of 32 hexadecimal digits ("v3").
        language: of titles, overviews and posters, such as "zh-CN".
        api, images: its hosts, or those of a mirror.
        interval: seconds between requests. TMDB allows some 40 a second.
        silence, backoff: as `SILENCE` and `BACKOFF`.

    Reference:
        https://developer.themoviedb.org/reference/search-movie
    """

    key: str = field(repr=False)
    language: str = "en-US"
    api: str = "https://api.themoviedb.org"
    images: str = "https://image.tmdb.org"
    interval: float = 0.05
    silence: float = SILENCE
    backoff: float = BACKOFF

    name = "tmdb"
    label = "TMDB"
    attribution = "This product uses the TMDB API but is not endorsed or certified by TMDB."

    def __post_init__(self) -> None:
        hosts = f"{re.escape(self.api)}|{re.escape(self.images)}"
        self._client = _Client(self.label, re.compile(hosts), self.silence, self.backoff)
        self._older = re.fullmatch("[0-9a-f]{32}", self.key) is not None

    def look_up(self, film: Film, pace: Pace) -> Found | None:
        """The film by its number, else by its title and year; None where no film is surely it."""
        found = None
        if film.tmdb_id is not None:
            found = self._film(film.tmdb_id, pace)
        if found is None and (same := self._search(film, pace)):
            # found by its English title; other languages are asked for by number
            found = same if self.language == "en-US" else self._film(same.id, pace)
        if found is None:
            return None
        return Found(
            clean(found.title, LONGEST_TITLE),
            clean(found.overview or "", LONGEST_OVERVIEW),
            self._poster_url(found.poster_path),
        )

    def _film(self, tmdb_id: int, pace: Pace) -> _TmdbFilm | None:
        answer = self._ask(f"/3/movie/{tmdb_id}", {"language": self.language}, pace)
        film = None if answer is None else _checked(_FILM, answer, self.label)
        if film is not None and film.id != tmdb_id:
            raise ProviderError(f"{self.label} answered with another film", "bad")
        return film

    def _search(self, film: Film, pace: Pace) -> _TmdbFilm | None:
        forms = title_forms(film.title)
        wanted: list[tuple[str, dict[str, str]]] = []
        if film.year is not None:
            wanted += [(form, {"year": str(film.year)}) for form in forms[:2]]
        wanted += [(forms[0], {})]
        for query, year in wanted:
            settings = {"query": query, "language": "en-US", "include_adult": "false"}
            answer = self._ask("/3/search/movie", settings | year, pace)
            films = [] if answer is None else _checked(_PAGE, answer, self.label).results
            names = [
                ([same.title, same.original_title], (same.release_date or "")[:4]) for same in films
            ]
            if (place := best_match(film, names)) is not None:
                return films[place]
        return None

    def _ask(self, path: str, settings: Mapping[str, str], pace: Pace) -> bytes | None:
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", self.key):
            raise ProviderError("the key of TMDB has characters that no key has", "refused")
        headers = {"Accept": "application/json"}
        if self._older:
            settings = {**settings, "api_key": self.key}
        else:
            headers["Authorization"] = f"Bearer {self.key}"
        return self._client.fetch(
            f"{self.api}{path}", pace, "application/json", LARGEST_TEXT, settings, headers
        )

    def _poster_url(self, path: str | None) -> str | None:
        if path is None or not re.fullmatch(r"/[A-Za-z0-9_-]{1,100}\.(jpg|png|webp)", path):
            return None
        return f"{self.images}/t/p/w342{path}"

    def poster(self, url: str, pace: Pace) -> bytes:
        """A picture as a JPEG."""
        return _picture(self._client, url, pace, {})

    def close(self) -> None:
        """Let connections go."""
        self._client.close()


@dataclass
class Douban:
    """Douban, https://movie.douban.com: Chinese titles and posters, without a key.

    The look-up is that of its search box. It is no official API: it refuses who asks often, and is
    then left alone for an hour.

    Args:
        api: its host, or another for tests.
        images: a pattern of the hosts of its pictures.
        interval: seconds between requests.
        silence, backoff: as `SILENCE` and `BACKOFF`.
    """

    api: str = "https://movie.douban.com"
    images: str = r"https://img\d{1,2}\.doubanio\.com"
    interval: float = 3.0
    silence: float = SILENCE
    backoff: float = BACKOFF

    name = "douban"
    label = "Douban"
    language = "zh-CN"
    attribution = "Titles and pictures come from Douban, movie.douban.com."

    def __post_init__(self) -> None:
        hosts = re.compile(f"{re.escape(self.api)}|{self.images}")
        self._client = _Client(self.label, hosts, self.silence, self.backoff)

    def look_up(self, film: Film, pace: Pace) -> Found | None:
        """The film by its IMDb number, else by its title and year; None where none is surely it."""
        if film.imdb_id is not None and (found := self._suggested(f"tt{film.imdb_id:07d}", pace)):
            return self._found(found[0])
        found = self._suggested(title_forms(film.title)[0], pace)
        names = [([same.title, same.sub_title], same.year) for same in found]
        place = best_match(film, names)
        return None if place is None else self._found(found[place])

    def _suggested(self, query: str, pace: Pace) -> list[_DoubanFilm]:
        answer = self._client.fetch(
            f"{self.api}/j/subject_suggest",
            pace,
            "application/json",
            LARGEST_TEXT,
            {"q": query},
            {"Accept": "application/json"},
        )
        return [] if answer is None else _checked(_SUGGESTED, answer, self.label)

    def _found(self, film: _DoubanFilm) -> Found:
        usable = self._client.allows(film.img) and "default" not in film.img  # its own placeholder
        return Found(clean(film.title, LONGEST_TITLE), None, film.img if usable else None)

    def poster(self, url: str, pace: Pace) -> bytes:
        """A picture as a JPEG."""
        return _picture(self._client, url, pace, {"Referer": f"{self.api}/"})

    def close(self) -> None:
        """Let connections go."""
        self._client.close()


def best_match(film: Film, names: list[tuple[list[str], str]]) -> int | None:
    """Which of a provider's films is the one that is meant.

    The same title, in a year that differs by one at most; or in the same year a title that differs
    by a slip, or is a part of the other ("The Empire Strikes Back"), but not by a number, as a
    sequel's does. Without a year only the same title will do. No picture is better than a wrong
    one.

    Args:
        film: the one that is meant.
        names: of each film its titles, and its year as text.

    Returns:
        The place of the film that is most alike, of equals the nearest in years, then the first;
        None if there is none.
    """
    forms = [(_plain(form), _parts(form)) for form in title_forms(film.title)]
    best: tuple[float, int, int] | None = None
    for place, (titles, text) in enumerate(names):
        year = int(text) if re.fullmatch("[0-9]{4}", text) else None
        apart = 0 if film.year is None else 9_999 if year is None else abs(film.year - year)
        likeness = 0.0
        for title in titles:
            other, parts = plain_title(title[:LONGEST_TITLE]), _parts(title[:LONGEST_TITLE])
            for form, own_parts in forms:
                if form == other:
                    alike = 100.0
                elif film.year is None or apart or _numbers(form) != _numbers(other):
                    alike = 0.0
                elif form in parts or other in own_parts:
                    alike = LIKENESS + fuzz.ratio(form, other) / 100
                else:
                    alike = fuzz.ratio(form, other)
                likeness = max(likeness, alike if other else 0.0)
        rank = (likeness, -apart, -place)
        fits = likeness >= LIKENESS and apart <= YEARS_APART
        if fits and (best is None or rank > best):
            best = rank
    return None if best is None else -best[2]


def _plain(title: str) -> str:
    return plain_title(title.replace("&", " and "))


def _parts(title: str) -> list[str]:
    """What stands between a title's colons and dashes, if there are any."""
    return [_plain(part) for part in re.split(r":|\s-\s", title)[:10]]


def _numbers(plain: str) -> list[str]:
    """The numbers in a title without the episodes of a series, which not everybody counts."""
    plain = re.sub(r"\bepisode \w+", "", plain)
    return sorted(re.findall(r"\b(?:[0-9]+|i{2,3}|i?v|vi{0,3}|i?x)\b", plain))


def clean(text: str, most: int) -> str | None:
    """Text without what a page or a terminal would obey; cut to a length; None if nothing is left.

    Dropped are control characters and those that turn the direction of what follows; white space
    becomes single spaces.
    """
    text = unicodedata.normalize("NFC", text[: 10 * most])
    text = "".join(" " if c.isspace() else c for c in text)
    kept = (c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Cn", "Co"))
    text = " ".join("".join(c for c in kept if c not in _TURNING).split())
    text = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    return text or None


_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


# --- over HTTP ---------------------------------------------------------------------------------


class _Client:
    """Fetches from the hosts of one provider, and from no other."""

    def __init__(self, label: str, hosts: re.Pattern[str], silence: float, backoff: float) -> None:
        self._label, self._hosts, self._silence = label, hosts, silence
        self._backoff = backoff
        self._session = requests.Session()
        # whoever runs a service should see who asks it, and how to reach them
        self._session.headers["User-Agent"] = f"movierec/{__version__}"
        self._session.headers["Accept-Encoding"] = "identity"  # nothing that unpacks to a gigabyte
        # a login for "any host" in ~/.netrc would go in place of the token
        self._session.auth = lambda request: request
        _hide_keys()

    def allows(self, url: str) -> bool:
        """Whether an address is of the provider's hosts."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return self._hosts.fullmatch(f"{parts.scheme}://{parts.netloc}") is not None

    def fetch(
        self,
        url: str,
        pace: Pace,
        kind: str,
        most: int,
        settings: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> bytes | None:
        """What is at an address; None where it says that there is nothing.

        The content may take `LONGEST` seconds. What comes before it, the status and the headers, is
        only bounded in its silence: a server that sends it byte by byte, never silent for long,
        holds a request for as long as http.client takes to read its limit of lines.

        Args:
            url: the address.
            pace: waited for before each request.
            kind: what the content type begins with.
            most: bytes that are read.
            settings: the query.
            headers: of the request.

        Raises:
            ProviderError: all else.
        """
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, ProviderError) and error.kind == "silent"
            ),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=tenacity.wait_exponential_jitter(multiplier=self._backoff, jitter=self._backoff),
            sleep=pace.sleep,
            reraise=True,
        )
        return again(self._fetch_once, url, pace, kind, most, settings, headers)

    def _fetch_once(
        self,
        url: str,
        pace: Pace,
        kind: str,
        most: int,
        settings: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> bytes | None:
        pace.turn()
        ends = time.monotonic() + LONGEST
        try:
            for _ in range(REDIRECTIONS + 1):
                if not self.allows(url):
                    raise self._bad("points to another host")
                with self._session.get(
                    url,
                    params=settings,
                    headers=headers,
                    stream=True,
                    timeout=self._silence,
                    allow_redirects=False,  # it would read any length, and follow anywhere
                ) as answer:
                    if not answer.is_redirect:
                        return self._read(answer, pace, kind, most, ends)
                    url, settings = urljoin(url, answer.headers["Location"]), {}
            raise self._bad("redirected again and again")
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self._silent(f"did not answer within {self._silence:g} seconds") from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # its message holds the address, and so perhaps the key
            raise self._silent(f"could not be reached ({type(error).__name__})") from None
        except ValueError as error:
            raise self._bad(f"named an address that is none ({type(error).__name__})") from None

    def _read(
        self, answer: requests.Response, pace: Pace, kind: str, most: int, ends: float
    ) -> bytes | None:
        status = answer.status_code
        if status == 404:
            return None
        if status == 401:
            raise ProviderError(f"{self._label} does not accept the key", "refused")
        if status in (403, 418):  # what Douban says to who asks too often
            pace.rest(3600.0)
            raise self._silent(f"refuses to answer (status {status})")
        if status in (408, 425, 429) or status >= 500:
            if (seconds := _retry_after(answer.headers.get("Retry-After", ""))) is not None:
                pace.rest(seconds)
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
            if len(content) > most:
                raise self._bad(f"answered with more than {most:,} bytes")
            if time.monotonic() > ends:
                raise self._silent(f"took more than {LONGEST:g} seconds to answer")
        return bytes(content)

    def _bad(self, what: str) -> ProviderError:
        return ProviderError(f"{self._label} {what}", "bad")

    def _silent(self, what: str) -> ProviderError:
        return ProviderError(f"{self._label} {what}", "silent")

    def close(self) -> None:
        self._session.close()


def _retry_after(text: str) -> float | None:
    """Seconds, from a number of them or a date."""
    if re.fullmatch("[0-9]{1,9}", text.strip()):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):  # a year that no calendar has, for the second
        return None


def _hide_keys() -> None:
    """Let the HTTP library log no keys: it writes whole addresses, and warnings with them."""
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        if _without_key not in (logger := logging.getLogger(name)).filters:
            logger.addFilter(_without_key)


def _without_key(record: logging.LogRecord) -> bool:
    record.msg, record.args = re.sub(r"api_key=[^&\s'\"]+", "api_key=…", record.getMessage()), ()
    return True


def _checked(form: TypeAdapter[Any], content: bytes, label: str) -> Any:
    try:
        return form.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        fault = clean(f"{place} {first['msg']}", 200)
        raise ProviderError(f"{label} answered in another form: {fault}", "bad") from None


def _picture(client: _Client, url: str, pace: Pace, headers: Mapping[str, str]) -> bytes:
    content = client.fetch(url, pace, "image/", LARGEST_PICTURE, {}, headers)
    if content is None:
        raise ProviderError("there is no such picture", "bad")
    return redrawn(content)


def redrawn(content: bytes) -> bytes:
    """A picture decoded, made no larger than a poster, and written anew as a JPEG.

    What a page shows was so written by the library here: nothing that hides in a file reaches a
    browser.

    Raises:
        ProviderError: it is no JPEG, PNG or WebP, is damaged, or unpacks to more than is sensible.
    """
    opened = next((kind for magic, kind in _PICTURES.items() if content.startswith(magic)), None)
    if opened is None:
        raise ProviderError("the picture is no JPEG, PNG or WebP", "bad")
    if content.count(b"\xff\xda") > MOST_SCANS and opened is JpegImageFile:
        raise ProviderError("the picture has too many scans", "bad")
    try:
        with opened(io.BytesIO(content)) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ProviderError(f"the picture has {width} by {height} pixels", "bad")
            small = image.convert("RGB")
        small.thumbnail(POSTER_SIZE)
        sink = io.BytesIO()
        small.save(sink, "JPEG", quality=85)
    except ProviderError:
        raise
    except Exception as error:  # decoders raise whatever comes to them
        raise ProviderError(f"the picture is damaged ({type(error).__name__})", "bad") from None
    return sink.getvalue()
