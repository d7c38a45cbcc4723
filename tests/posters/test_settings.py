"""How posters are turned on, and wrong settings told."""

from __future__ import annotations

import sys

import pytest
from asking import TOKEN

from movierec.errors import InputError
from movierec.posters.metadata import provider


@pytest.fixture
def environment(monkeypatch) -> pytest.MonkeyPatch:
    for name in ("TMDB_TOKEN", "MOVIEREC_LANGUAGE", "MOVIEREC_TMDB_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_a_key_nobody_is_asked(environment):
    assert provider() is None


def test_a_key_turns_tmdb_on(environment):
    environment.setenv("TMDB_TOKEN", f" {TOKEN}\n")
    environment.setenv("MOVIEREC_LANGUAGE", "zh-CN")
    asked = provider()
    assert (asked.key, asked.language, asked.mirror) == (TOKEN, "zh-CN", "")
    assert "not endorsed or certified by TMDB" in asked.attribution


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TMDB_TOKEN": "secret\r\nHost: elsewhere"}, "TMDB_TOKEN has characters that no key has"),
        ({"MOVIEREC_LANGUAGE": "chinese"}, "MOVIEREC_LANGUAGE is 'chin"),
        ({"MOVIEREC_TMDB_MIRROR": "mirror"}, "expected an address such as"),
        ({"MOVIEREC_TMDB_MIRROR": "https://[::1"}, "expected an address such as"),
        # a key would be sent in the clear
        ({"MOVIEREC_TMDB_MIRROR": "http://a.example"}, "expected an address such as https://"),
    ],
)
def test_wrong_settings_are_told(environment, settings, words):
    for name, value in ({"TMDB_TOKEN": TOKEN} | settings).items():
        environment.setenv(name, value)
    with pytest.raises(InputError, match=words) as caught:
        provider()
    assert TOKEN not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_the_extra_its_name_is_told(environment):
    environment.setenv("TMDB_TOKEN", TOKEN)
    for module in ("movierec.posters.tmdb", "movierec.posters.harmless"):
        environment.delitem(sys.modules, module, raising=False)
    environment.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install 'movierec\[posters\]'"):
        provider()
