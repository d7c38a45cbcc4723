"""What comes from a provider, trusted in nothing: text, JSON and pictures.

An answer must have the form that is documented; text loses its control characters; a picture is
decoded and written anew.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeVar

from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from movierec.errors import ProviderError

MOST_PIXELS = 2**22
MOST_SCANS = 100  # of a JPEG, each a pass over all its pixels; a progressive one has about ten
POSTER_SIZE = (342, 513)  # pixels, of TMDB's posters of width 342
LONGEST_TITLE, LONGEST_OVERVIEW = 200, 2_000  # characters that are kept

_PICTURES: Mapping[bytes, Callable[[io.BytesIO], Image]] = {
    b"\xff\xd8\xff": JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"RIFF": WebPImageFile,
}

Form = TypeVar("Form")


class Answer(BaseModel):
    """What an answer must look like; fields that are not named are left alone."""

    model_config = ConfigDict(strict=True, frozen=True)


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


def checked(form: TypeAdapter[Form], content: bytes, label: str) -> Form:
    """A JSON answer that has the form it is documented to have.

    Args:
        form: what it must look like.
        content: the answer.
        label: whose answer it is.

    Raises:
        ProviderError: it looks otherwise.
    """
    try:
        return form.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        fault = clean(f"{place} {first['msg']}", 200)
        raise ProviderError(f"{label} answered in another form: {fault}", "bad") from None


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
