"""What a stranger sends made harmless: text loses its control characters, a picture is redrawn."""

from __future__ import annotations

import io
import unicodedata

from PIL import Image

from movierec.posters.films import ProviderError

MOST_PIXELS = 2**22
MOST_SCANS = 100  # of a JPEG, each a pass over all its pixels; a progressive one has about ten
POSTER_SIZE = (342, 513)  # pixels, of TMDB's posters of width 342
_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"


def clean(text: str, most: int) -> str | None:
    """Text without what a page or a terminal would obey; cut to a length; None if nothing is left.

    Dropped are control characters and those that turn the direction of what follows; white space
    becomes single spaces.
    """
    text = " ".join(unicodedata.normalize("NFC", text[: 10 * most]).split())
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
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError
            small = image.convert("RGB")
        small.thumbnail(POSTER_SIZE)
        sink = io.BytesIO()
        small.save(sink, "JPEG", quality=85)
        return sink.getvalue()
    except Exception as error:  # decoders raise whatever comes to them
        why = type(error).__name__
        raise ProviderError(f"the picture cannot be read ({why})", "bad") from None
