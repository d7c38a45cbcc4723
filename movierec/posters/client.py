"""HTTP that trusts nobody: what a provider is asked with, and what is made of its answers.

Addresses outside the provider's own hosts are not followed, neither in redirections nor in answers;
an answer is read up to a length and a time, and must have the form that is documented. Text loses
its control characters; a picture is decoded and written anew. A key goes to the provider alone:
into no message, no log and no other host.
"""

from __future__ import annotations

import io
import logging
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from movierec import __version__
from movierec.errors import InputError, ProviderError
from movierec.trust import Some, read_json

if TYPE_CHECKING:
    from movierec.posters.cache import Pace

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

_PICTURES: Mapping[bytes, Callable[[io.BytesIO], Image]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
}
_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


class _Wanted(NamedTuple):
    """What is asked for, and what may come."""

    url: str
    kind: str  # what the content type begins with
    most: int  # bytes that are read
    settings: Mapping[str, str]  # the query
    headers: Mapping[str, str]  # of the request


class Client:
    """Fetches from the hosts of one provider, and from no other.

    Args:
        label: the provider's, as people read it.
        hosts: its hosts, such as "https://example.org".
        silence, backoff: as `SILENCE` and `BACKOFF`.
    """

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

    def json(
        self,
        form: type[Some],
        url: str,
        pace: Pace,
        settings: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> Some | None:
        """The JSON at an address; None where it says that there is nothing.

        Args:
            form: what it must look like.
            url: the address.
            pace: waited for before each request.
            settings: the query.
            headers: of the request.

        Raises:
            ProviderError: all else.
        """
        kind = "application/json"
        wanted = _Wanted(url, kind, LARGEST_TEXT, settings, {"Accept": kind, **(headers or {})})
        if (content := self._fetch(wanted, pace)) is None:
            return None
        try:
            return read_json(content, form)
        except InputError as error:
            raise self._bad(f"answered in another form: {error}") from None

    def picture(self, url: str, pace: Pace, headers: Mapping[str, str] | None = None) -> bytes:
        """The picture at an address as a JPEG.

        Args:
            url: the address.
            pace: waited for before each request.
            headers: of the request.

        Raises:
            ProviderError: there is none, or none that can be used.
        """
        content = self._fetch(_Wanted(url, "image/", LARGEST_PICTURE, {}, headers or {}), pace)
        if content is None:
            raise ProviderError("there is no such picture", "bad")
        return redrawn(content)

    def _fetch(self, wanted: _Wanted, pace: Pace) -> bytes | None:
        """What is at an address; None where it says that there is nothing.

        The content may take `LONGEST` seconds. What comes before it, the status and the headers, is
        only bounded in its silence: a server that sends it byte by byte, never silent for long,
        holds a request for as long as http.client takes to read its limit of lines.

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
        return again(self._fetch_once, wanted, pace)

    def _fetch_once(self, wanted: _Wanted, pace: Pace) -> bytes | None:
        pace.turn()
        ends = time.monotonic() + LONGEST
        url, settings = wanted.url, wanted.settings
        try:
            for _ in range(REDIRECTIONS + 1):
                if not self.allows(url):
                    raise self._bad("points to another host")
                with self._session.get(
                    url,
                    params=settings,
                    headers=wanted.headers,
                    stream=True,
                    timeout=self._silence,
                    allow_redirects=False,  # it would read any length, and follow anywhere
                ) as answer:
                    if not answer.is_redirect:
                        return self._read(answer, wanted, pace, ends)
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
        self, answer: requests.Response, wanted: _Wanted, pace: Pace, ends: float
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
        if not told.startswith(wanted.kind):
            raise self._bad(
                f"answered with {clean(told, 40) or 'no content type'}, not {wanted.kind}"
            )
        content = bytearray()
        # read1: whatever has come, where read() would wait; and as it came, not unpacked
        while chunk := answer.raw.read1(2**16):
            content += chunk
            if len(content) > wanted.most:
                raise self._bad(f"answered with more than {wanted.most:,} bytes")
            if time.monotonic() > ends:
                raise self._silent(f"took more than {LONGEST:g} seconds to answer")
        return bytes(content)

    def _bad(self, what: str) -> ProviderError:
        return ProviderError(f"{self._label} {what}", "bad")

    def _silent(self, what: str) -> ProviderError:
        return ProviderError(f"{self._label} {what}", "silent")

    def close(self) -> None:
        """Let connections go."""
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
