"""A server on this machine that speaks as TMDB does, and misbehaves when told to."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pandas as pd
from PIL import Image

from movierec.data.titles import title_forms

HOSTILE = "<img src=x onerror=alert(1)>“电影”"  # a title that must stay text


def picture(kind: str = "JPEG", size: tuple[int, int] = (342, 513), colour: str = "teal") -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", size, colour).save(sink, kind)
    return sink.getvalue()


def tmdb_film(number: int, title: str, year: int, chinese: str = "", overview: str = "") -> dict:
    """A film as TMDB describes it, and what only the Chinese answer has."""
    return {
        "adult": False,
        "backdrop_path": None,
        "genre_ids": [18],
        "id": number,
        "original_language": "en",
        "original_title": title,
        "overview": overview or f"What happens in {title}.",
        "popularity": 9.5,
        "poster_path": f"/poster{number}.jpg",
        "release_date": f"{year}-03-30",
        "title": title,
        "vote_average": 8.2,
        "chinese": chinese,
    }


class FilmServer:
    """Attributes:

    films: what TMDB has.
    faults: by a part of the address, what is done in place of answering, with the handler.
    seen: the requests: path, query, headers, and when.
    """

    def __init__(self) -> None:
        self.films: list[dict] = []
        self.faults: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[tuple[str, dict[str, str], dict[str, str], float]] = []
        self.released = threading.Event()  # what hangs hangs until then
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # 0.04 s an answer

            def handle(self) -> None:
                with suppress(ConnectionError):  # the client has gone between two requests
                    super().handle()

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((parts.path, query, headers, time.monotonic()))
                fault = next((act for part, act in outer.faults.items() if part in self.path), None)
                try:
                    if fault is not None:
                        self.close_connection = True  # unless it sends a whole answer
                        fault(self)
                    else:
                        outer._answer(self, parts.path, query)
                except OSError:  # the client has gone, which is what it should do
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [path for path, *_ in self.seen]

    def _answer(self, handler: BaseHTTPRequestHandler, path: str, query: dict[str, str]) -> None:
        if path == "/3/search/movie":
            wanted = query["query"].lower()
            films = [
                {name: value for name, value in film.items() if name != "chinese"}
                for film in self.films
                if (wanted in film["title"].lower() or film["title"].lower() in wanted)
                and query.get("year", film["release_date"][:4]) == film["release_date"][:4]
            ]
            body = {"page": 1, "results": films, "total_pages": 1, "total_results": len(films)}
            send(handler, body)
        elif path.startswith("/3/movie/"):
            film = next((f for f in self.films if f["id"] == int(path.split("/")[-1])), None)
            if film is None:
                send(handler, {"success": False, "status_code": 34}, status=404)
                return
            chinese = query["language"].startswith("zh") and film["chinese"]
            changes = {"title": chinese, "overview": f"{chinese}。"} if chinese else {}
            send(handler, film | changes)
        elif path.startswith("/t/p/w342/"):
            send(handler, picture(), kind="image/jpeg")
        else:
            send(handler, {"success": False}, status=404)


@contextmanager
def serving(movies: pd.DataFrame, chinese: str) -> Iterator[FilmServer]:
    """A server that has these films as TMDB, all under one Chinese title."""
    server = FilmServer()
    server.films = [
        tmdb_film(film.movie_id, title_forms(film.title)[0], film.year, chinese=chinese)
        for film in movies.itertuples()
    ]
    try:
        yield server
    finally:
        server.close()


def send(
    handler: BaseHTTPRequestHandler,
    body: object,
    status: int = 200,
    kind: str = "application/json;charset=utf-8",
    **headers: str,
) -> None:
    """Send a body: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)
    handler.close_connection = False  # the answer is whole
