"""Who is to be asked for posters and titles, as the environment has it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from movierec.errors import InputError

PROVIDERS = ("tmdb", "douban")
PROVIDER_VARIABLE = "MOVIEREC_METADATA"  # one of PROVIDERS, or "off"
LANGUAGE_VARIABLE = "MOVIEREC_LANGUAGE"
MIRROR_VARIABLE = "MOVIEREC_TMDB_MIRROR"  # where TMDB is asked in place of its own hosts
KEY_VARIABLE = "TMDB_TOKEN"
# a key is sent there: in the clear on this machine alone
MIRROR = re.compile(r"https://[\w.-]+(:\d+)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


@dataclass(frozen=True)
class Settings:
    """Who is to be asked.

    Attributes:
        provider: one of `PROVIDERS`.
        language: such as "en-US" or "zh-CN".
        mirror: where TMDB is asked in place of its own hosts; "" for its own.
    """

    provider: str
    language: str
    mirror: str = ""


def settings() -> Settings | None:
    """Who is to be asked: `$TMDB_TOKEN` turns TMDB on.

    `$MOVIEREC_METADATA` names a provider, or "off"; `$MOVIEREC_LANGUAGE` the language;
    `$MOVIEREC_TMDB_MIRROR` a host that passes TMDB's API and pictures on.

    Returns:
        None without a key, and where it is off.

    Raises:
        InputError: an unknown provider, no key for it, or what is no language or no address.
    """
    name = os.environ.get(PROVIDER_VARIABLE, "")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if name == "off" or not (name or key):
        return None
    if name not in ("", *PROVIDERS):
        raise InputError(
            f"{PROVIDER_VARIABLE} names an unknown provider of posters, {name!r}; expected "
            f"{' or '.join(PROVIDERS)}, or off"
        )
    language = os.environ.get(LANGUAGE_VARIABLE) or "en-US"
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language):
        raise InputError(f"{LANGUAGE_VARIABLE} is {language!r}; expected such as en-US or zh-CN")
    if name == "douban":
        return Settings(name, "zh-CN")
    if not key:
        raise InputError(
            f"{KEY_VARIABLE} is empty, and TMDB needs a key; it gives an access token to every "
            f"account, under Settings, API: set {KEY_VARIABLE} to it"
        )
    mirror = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    if mirror and not MIRROR.fullmatch(mirror):
        raise InputError(
            f"{MIRROR_VARIABLE} is {mirror!r}; expected an address such as https://example.org"
        )
    return Settings("tmdb", language, mirror)
