"""How posters are turned on, and wrong settings told."""

from __future__ import annotations

import pytest
from asking import MOVIES, TOKEN

from movierec.errors import InputError
from movierec.posters.metadata import configured
from movierec.posters.settings import (
    KEY_VARIABLE,
    LANGUAGE_VARIABLE,
    MIRROR_VARIABLE,
)


@pytest.fixture
def environment(monkeypatch, tmp_path) -> pytest.MonkeyPatch:
    names = (KEY_VARIABLE, LANGUAGE_VARIABLE)
    for name in (*names, MIRROR_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path))
    return monkeypatch


def test_without_a_key_nothing_is_asked(environment):
    assert configured(MOVIES) is None


def test_a_key_turns_tmdb_on(environment, tmp_path):
    environment.setenv("TMDB_TOKEN", f" {TOKEN}\n")
    environment.setenv("MOVIEREC_LANGUAGE", "zh-CN")
    films = configured(MOVIES)
    assert films.provider.key == TOKEN
    assert films.language == "zh-CN"
    assert films.provider.api == "https://api.themoviedb.org"
    assert "not endorsed or certified by TMDB" in films.attribution
    assert (tmp_path / "metadata" / "answers.sqlite").exists()
    films.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"TMDB_TOKEN": TOKEN, "MOVIEREC_LANGUAGE": "chinese"},
            "MOVIEREC_LANGUAGE is 'chin",
        ),
        ({"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "mirror"}, "expected an address such as"),
        (
            {"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "https://[::1"},
            "expected an address such as",
        ),
        (  # a key would be sent in the clear
            {"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "http://a.example"},
            "expected an address such as https://",
        ),
    ],
)
def test_wrong_settings_are_told(environment, settings, words):
    for name, value in settings.items():
        environment.setenv(name, value)
    with pytest.raises(InputError, match=words) as caught:
        configured(MOVIES)
    assert TOKEN not in str(caught.value)
