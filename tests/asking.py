"""What the tests of posters share: a few films, a provider that answers quickly, and faults."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from film_server import FilmServer, send

from movierec.posters.douban import Douban
from movierec.posters.provider import Details, Film
from movierec.posters.tmdb import Tmdb

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


def tmdb(server: FilmServer, language: str = "en-US", key: str = TOKEN, **manners: Any) -> Tmdb:
    quick = {"interval": 0.0, "silence": 3.0, "backoff": 0.01}
    return Tmdb(key, language, api=server.url, images=server.url, **(quick | manners))


def douban(server: FilmServer, **manners: Any) -> Douban:
    quick = {"interval": 0.0, "silence": 3.0, "backoff": 0.01}
    return Douban(api=server.url, images=server.url, **(quick | manners))


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


def until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 5
    while not true():
        assert time.monotonic() < ends, "it did not happen within 5 seconds"
        time.sleep(0.005)


def write(handler: Any, content: bytes, **headers: str) -> None:
    """An answer that ends with the connection."""
    handler.send_response(200)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def redirect(place: str) -> Callable[[Any], None]:
    return lambda handler: send(handler, b"", status=302, Location=place)


def say(body: object, **how: Any) -> Callable[[Any], None]:
    return lambda handler: send(handler, body, **how)


HTML = b"<html><body>Please log in to the hotel's network</body></html>"


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def endless(handler: Any, **headers: str) -> None:
    write(handler, b'{"results": [', **headers)
    while True:
        handler.wfile.write(b" " * 2**16)
