"""Whether TMDB is to be asked for posters and titles, as the environment has it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from movierec.errors import InputError

LANGUAGE_VARIABLE = "MOVIEREC_LANGUAGE"
MIRROR_VARIABLE = "MOVIEREC_TMDB_MIRROR"
KEY_VARIABLE = "TMDB_TOKEN"
# a key is sent there: in the clear on this machine alone
MIRROR = re.compile(r"https://[\w.-]+(:\d+)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


class Settings(NamedTuple):
    """How TMDB is asked; the key itself stays in the environment."""

    language: str  # such as "en-US" or "zh-CN"
    mirror: str  # the address that is asked in place of its own hosts; "" for its own


def settings() -> Settings | None:
    """How TMDB is to be asked, which a key in `$TMDB_TOKEN` turns on; None without one.

    `$MOVIEREC_LANGUAGE` is the language, and `$MOVIEREC_TMDB_MIRROR` an address that passes TMDB's
    API and pictures on.

    Raises:
        InputError: what is no language, or no address.
    """
    if not os.environ.get(KEY_VARIABLE, "").strip():
        return None
    language = os.environ.get(LANGUAGE_VARIABLE) or "en-US"
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language):
        raise InputError(f"{LANGUAGE_VARIABLE} is {language!r}; expected such as en-US or zh-CN")
    mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    if mirror and not MIRROR.fullmatch(mirror):
        raise InputError(
            f"{MIRROR_VARIABLE} is {mirror!r}; expected an address such as https://example.org"
        )
    return Settings(language, mirror)
