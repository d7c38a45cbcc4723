"""Posters and titles: from a server on this machine, that misbehaves in every way."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from film_server import FilmServer, tmdb_film
from PIL import Image

from movierec.metadata import Details, Film, Metadata
from movierec.providers import Tmdb

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ0ZXN0In0.c2VjcmV0LXNlY3JldA"
OLDER_KEY = "0123456789abcdef0123456789abcdef"
MOVIES = pd.DataFrame(
    {
        "movie_id": [1, 2, 3],
        "title": ["Matrix, The (1999)", "Heat (1995)", "Nobody Knows This (1970)"],
        "year": pd.array([1999, 1995, 1970], dtype="Int64"),
        "genres": ["Action", "Crime", "Drama"],
    }
)
MATRIX, HEAT, NOBODY = (Film(row.title, row.year) for row in MOVIES.itertuples())


@pytest.fixture
def server() -> Iterator[FilmServer]:
    running = FilmServer()
    running.films = [
        tmdb_film(603, "The Matrix", 1999, chinese="黑客帝国"),
        tmdb_film(949, "Heat", 1995, chinese="盗火线"),
    ]
    yield running
    running.close()


def tmdb(server: FilmServer, language: str = "en-US", key: str = TOKEN, **manners: Any) -> Tmdb:
    quick = {"interval": 0.0, "silence": 0.3, "backoff": 0.01}
    return Tmdb(key, language, api=server.url, images=server.url, **(quick | manners))


@pytest.fixture
def open_metadata(tmp_path: Path) -> Iterator[Callable[..., Metadata]]:
    """What makes metadata that share one cache, and closes them."""
    opened = []

    def make(provider: Any, movies: pd.DataFrame = MOVIES) -> Metadata:
        opened.append(Metadata(provider, movies, tmp_path / "cache"))
        return opened[-1]

    yield make
    for made in opened:
        made.close()


class Answers:
    """What has come, by film."""

    def __init__(self) -> None:
        self.came: dict[int, list[Details]] = {}
        self.threads: set[threading.Thread] = set()
        self._changed = threading.Condition()

    def __call__(self, movie_id: int, details: Details) -> None:
        with self._changed:
            self.came.setdefault(movie_id, []).append(details)
            self.threads.add(threading.current_thread())
            self._changed.notify_all()

    def wait(self, *movie_ids: int, times: int = 1) -> None:
        with self._changed:
            came = self._changed.wait_for(
                lambda: all(len(self.came.get(i, [])) >= times for i in movie_ids), timeout=5
            )
        assert came, f"only {sorted(self.came)} came"


def rows(*movie_ids: int) -> pd.DataFrame:
    return MOVIES.set_index("movie_id").loc[list(movie_ids)].reset_index()


# --- what comes --------------------------------------------------------------------------------


def test_a_film_is_unknown_then_comes_from_another_thread_and_is_then_known(server, open_metadata):
    films, answers = open_metadata(tmdb(server)), Answers()
    assert films.known(1) is None

    films.ask(MOVIES, answers)
    answers.wait(1, 2)

    (came,) = answers.came[1]
    assert (came.title, came.source) == ("The Matrix", "TMDB")
    assert came.overview == "What happens in The Matrix."
    assert Image.open(io.BytesIO(came.poster)).size == (342, 513)
    assert films.known(1) == came
    assert threading.current_thread() not in answers.threads
    assert 3 not in answers.came


def test_what_is_kept_is_known_to_the_next_process_without_a_network(server, open_metadata):
    first, answers = open_metadata(tmdb(server)), Answers()
    first.ask(MOVIES, answers)
    answers.wait(1, 2)
    first.close()
    server.close()

    second = open_metadata(tmdb(server))

    assert second.known(1) == answers.came[1][0]
    assert second.known(3) is None
    second.ask(rows(2), answers)
    answers.wait(2, times=2)  # what another process has found meanwhile is handed out too


def test_titles_come_in_the_language_that_is_asked_for(server, open_metadata):
    films = open_metadata(tmdb(server, "zh-CN"))

    details = films.look_up(MATRIX)

    assert details.title == "黑客帝国"
    assert details.overview == "黑客帝国。"
    assert open_metadata(tmdb(server, "en-US")).known(1) is None  # languages are kept apart


@pytest.mark.parametrize(
    ("films", "wanted"),
    [
        (MOVIES.assign(tmdb_id=[949, None, None]), "Heat"),
        (MOVIES.assign(tmdb_id=pd.array([404, None, None], dtype="Int64")), "The Matrix"),
    ],
    ids=["number", "number that is gone"],
)
def test_the_number_in_the_data_goes_before_a_search(server, open_metadata, films, wanted):
    made, answers = open_metadata(tmdb(server), films), Answers()
    made.ask(rows(1), answers)
    answers.wait(1)
    assert answers.came[1][0].title == wanted
    assert server.paths()[0].startswith("/3/movie/")
