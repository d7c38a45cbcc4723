"""What the tests of posters share: a few films, a provider that answers quickly, and faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from film_server import FilmServer, send

from movierec.posters.films import Details, Film
from movierec.posters.metadata import Metadata
from movierec.posters.tmdb import Tmdb

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ0ZXN0In0.c2VjcmV0LXNlY3JldA"
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
    return Tmdb(key=key, language=language, mirror=server.url, **(quick | manners))


def shown(films: Metadata, *movie_ids: int) -> list[Details]:
    """What a page shows of films in the end: it asks, and then looks again."""
    films.ask(movie_ids)
    until(lambda: all(films.known(movie_id) for movie_id in movie_ids))
    return [films.known(movie_id) for movie_id in movie_ids]


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
