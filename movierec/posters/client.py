"""HTTP that trusts nobody: what a provider is asked with, and what is made of its answers.

No redirection is followed; an answer is read up to a length and a time, and must have the form that
is documented. Text loses its control characters; a picture is decoded and written anew. A key goes
to the provider alone: into no address, no message, no log and no other host.
"""

from __future__ import annotations

import io
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import requests
import tenacity
import urllib3
from PIL import Image

from movierec import __version__
from movierec.errors import InputError, ProviderError
from movierec.trust import Some, read_json

if TYPE_CHECKING:
    from movierec.posters.cache import Pace

LONGEST = 15.0  # seconds until the content of an answer must be there; headers are not covered
TRIES = 3
LEFT_ALONE = 3_600.0  # seconds for a provider that says that it is asked too often
LARGEST = 2**20  # bytes; a poster has some 30,000, a page of search results some 20,000
MOST_PIXELS = 2**22
MOST_SCANS = 100  # of a JPEG, each a pass over all its pixels; a progressive one has about ten
POSTER_SIZE = (342, 513)  # pixels, of TMDB's posters of width 342

_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


@dataclass(kw_only=True)
class Client:
    """Asks a provider of films; `tmdb.Tmdb` says what, and `Metadata` at what pace."""

    label: ClassVar[str]  # its name, as people read it
    interval: float  # seconds between requests
    silence: float = 5.0  # seconds that a server may keep silent
    backoff: float = 0.5  # seconds before the second try, twice that before the third
    pace: Pace = field(init=False, repr=False)  # waited for before each request

    def __post_init__(self) -> None:
        self._session = requests.Session()
        # whoever runs a service should see who asks it, and how to reach them
        self._session.headers["User-Agent"] = f"movierec/{__version__}"
        self._session.headers["Accept-Encoding"] = "identity"  # nothing that unpacks to a gigabyte
        # a login for "any host" in ~/.netrc would go in place of the token
        self._session.auth = lambda request: request

    def poster(self, url: str) -> bytes:
        """A picture of the provider as a JPEG.

        Raises:
            ProviderError: there is none, or none that can be used.
        """
        content = self._fetch(url, "image/", {}, {})
        if content is None:
            raise ProviderError("there is no such picture", "bad")
        return redrawn(content)

    def close(self) -> None:
        """Let connections go."""
        self._session.close()

    def _json(
        self, form: type[Some], url: str, query: dict[str, str], **headers: str
    ) -> Some | None:
        """The JSON at an address; None where it says that there is nothing."""
        kind = "application/json"
        content = self._fetch(url, kind, query, {"Accept": kind} | headers)
        if content is None:
            return None
        try:
            return read_json(content, form)
        except InputError as error:
            raise self._bad(f"answered in another form: {error}") from None

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


def redrawn(content: bytes) -> bytes:
    """A picture decoded, made no larger than a poster, and written anew as a JPEG.

    What a page shows was so written by the library here: nothing that hides in a file reaches a
    browser.

    Raises:
        ProviderError: it is no JPEG, PNG or WebP, is damaged, or unpacks to more than is sensible.
    """
    if content.count(b"\xff\xda") > MOST_SCANS:
        raise ProviderError("the picture has too many scans", "bad")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as image:
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
        why = type(error).__name__
        raise ProviderError(f"the picture cannot be read ({why})", "bad") from None
    return sink.getvalue()
