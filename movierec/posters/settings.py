"""Who is to be asked for posters and titles, as the environment has it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from movierec.errors import InputError

PROVIDERS = ("tmdb", "douban")
PROVIDER_VARIABLE = "MOVIEREC_METADATA"  # one of PROVIDERS, or "off"
LANGUAGE_VARIABLE = "MOVIEREC_LANGUAGE"
MIRROR_VARIABLE = "MOVIEREC_TMDB_MIRROR"  # where TMDB is asked in place of its own hosts
LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEY_VARIABLES = ("TMDB_TOKEN", "TMDB_API_KEY")  # the first that is set counts


@dataclass(frozen=True)
class Settings:
    """Who is to be asked, as the environment and the caller have it.

    Attributes:
        provider: one of `PROVIDERS`.
        language: such as "en-US" or "zh-CN".
        key_variable: the environment variable that holds the key; "" where none is needed.
        mirror: where TMDB is asked in place of its own hosts; "" for its own.
    """

    provider: str
    language: str
    key_variable: str
    mirror: str


def settings(provider: str | None = None, language: str | None = None) -> Settings | None:
    """Who is to be asked: `$TMDB_TOKEN` or `$TMDB_API_KEY` turns TMDB on.

    `$MOVIEREC_METADATA` names a provider, or "off"; `$MOVIEREC_LANGUAGE` the language;
    `$MOVIEREC_TMDB_MIRROR` a host that passes TMDB's API and pictures on.

    Args:
        provider, language: in place of the environment's.

    Returns:
        None without a key, and where it is off.

    Raises:
        InputError: an unknown provider, no key for it, or what is no language or no address.
    """
    name = provider or os.environ.get(PROVIDER_VARIABLE) or ""
    key = next((name for name in KEY_VARIABLES if os.environ.get(name, "").strip()), "")
    if name == "off" or not (name or key):
        return None
    if name not in ("", *PROVIDERS):
        raise InputError(
            f"unknown provider of posters {name!r}; expected {' or '.join(PROVIDERS)}, or off "
            f"(from --provider or {PROVIDER_VARIABLE})"
        )
    language = language or os.environ.get(LANGUAGE_VARIABLE) or "en-US"
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language):
        raise InputError(f"got the language {language!r}; expected one such as en-US or zh-CN")
    if name == "douban":
        return Settings(name, "zh-CN", "", "")
    if not key:
        raise InputError(
            f"{' and '.join(KEY_VARIABLES)} are empty, and TMDB needs a key; it gives one to "
            f"every account, under Settings, API: set {KEY_VARIABLES[0]} to it"
        )
    return Settings("tmdb", language, key, _mirror())


def _mirror() -> str:
    address = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("https", "http") and parts.hostname and not parts.path
    except ValueError:
        good = False
    if address and not good:
        raise InputError(
            f"{MIRROR_VARIABLE} is {address!r}; expected an address such as https://example.org"
        )
    if address and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise InputError(f"{MIRROR_VARIABLE} is {address}; expected https, since a key is sent")
    return address
