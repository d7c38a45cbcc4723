"""Posters and titles: from a server on this machine, that misbehaves in every way."""

from __future__ import annotations

import contextlib
import io
import logging
import sqlite3
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from film_server import FilmServer, picture, send, tmdb_film
from PIL import Image

from movierec.data.titles import title_forms
from movierec.errors import InputError, ProviderError
from movierec.posters.answers import KEPT, KEPT_NOTHING, KEPT_PARTLY
from movierec.posters.cache import LONGEST_PAUSE
from movierec.posters.client import TRIES
from movierec.posters.douban import Douban
from movierec.posters.matching import best_match
from movierec.posters.metadata import Metadata, configured
from movierec.posters.prefetch import prefetch
from movierec.posters.provider import Details, Film
from movierec.posters.settings import (
    KEY_VARIABLES,
    LANGUAGE_VARIABLE,
    MIRROR_VARIABLE,
    PROVIDER_VARIABLE,
)
from movierec.posters.tmdb import Tmdb
from movierec.posters.untrusted import clean, redrawn

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
    quick = {"interval": 0.0, "silence": 3.0, "backoff": 0.01}
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

    details = films.answers.look_up(MATRIX)

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


def test_many_who_want_the_same_film_make_one_request(server, open_metadata):
    films, everybody = open_metadata(tmdb(server)), [Answers() for _ in range(10)]
    for answers in everybody:
        films.ask(rows(1), answers)
    for answers in everybody:
        answers.wait(1)
    assert server.paths().count("/3/search/movie") == 1


def test_a_page_that_asks_again_before_the_answer_is_called_once(server, open_metadata):
    films, page, last = open_metadata(tmdb(server)), Answers(), Answers()
    server.faults["query=The+Matrix"] = lambda handler: server.released.wait(5)  # asked again later
    films.ask(rows(1), page)
    _until(lambda: server.seen)
    films.ask(rows(1, 1), page)
    films.ask(rows(1), last)
    server.faults.clear()
    server.released.set()
    last.wait(1)  # after all who asked before
    assert len(page.came[1]) == 1


@pytest.mark.parametrize(("pause", "order"), [(0.0, [7, 8, 2]), (9.0, [2, 3, 4])])
def test_the_latest_wish_comes_first_and_what_was_wanted_long_ago_is_forgotten(
    server, open_metadata, monkeypatch, pause, order
):
    monkeypatch.setattr("movierec.posters.metadata.ONE_WISH", pause)
    monkeypatch.setattr("movierec.posters.metadata.WAITING", 3)
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.films = [tmdb_film(number, f"Film {number}x", 2000) for number in range(1, 9)]
    numbers = [film["id"] for film in server.films]
    titles = [f"Film {number}x (2000)" for number in numbers]
    many = pd.DataFrame({"movie_id": numbers, "title": titles, "year": 2000})
    server.faults["query=Film+1x"] = lambda handler: server.released.wait(5)
    films, answers = open_metadata(tmdb(server), many), Answers()

    films.ask(many.iloc[:1], answers)  # keeps the only thread waiting
    _until(lambda: server.seen)
    films.ask(many.iloc[1:5], answers)
    films.ask(many.iloc[6:], answers)
    server.faults.clear()
    server.released.set()
    _until(lambda: not films._wanted)
    films.close()

    assert [n for n in answers.came if n != 1] == order


def test_a_film_that_the_provider_does_not_have_is_asked_for_again_only_later(
    server, open_metadata, monkeypatch
):
    films = open_metadata(tmdb(server))
    assert films.answers.look_up(NOBODY) is None
    asked = len(server.seen)
    assert films.answers.look_up(NOBODY) is None
    assert len(server.seen) == asked

    monkeypatch.setattr(time, "time", lambda now=time.time: now() + KEPT_NOTHING)
    films.answers.look_up(NOBODY)
    assert len(server.seen) > asked


def test_an_answer_expires(server, open_metadata, monkeypatch):
    films = open_metadata(tmdb(server))
    films.answers.look_up(MATRIX)
    assert films.known(1)
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + KEPT)
    assert films.known(1) is None


def test_films_looked_up_beforehand_are_counted_and_known(server, open_metadata):
    films, told = open_metadata(tmdb(server)), []
    server.faults["/poster949"] = lambda handler: send(handler, {}, status=404)

    counts = prefetch(films.answers, MOVIES, lambda *state: told.append(state))

    assert counts == {"films": 3, "found": 2, "posters": 1, "failed": 0}
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert films.known(1).poster
    assert films.known(2).poster is None


# --- answers that are none ---------------------------------------------------------------------


def _until(true: Callable[[], object]) -> None:
    ends = time.monotonic() + 5
    while not true():
        assert time.monotonic() < ends, "it did not happen within 5 seconds"
        time.sleep(0.005)


def _write(handler: Any, content: bytes, **headers: str) -> None:
    """An answer that ends with the connection."""
    handler.send_response(200)
    for name, value in ({"Content-Type": "application/json"} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def _endless(handler: Any, **headers: str) -> None:
    _write(handler, b'{"results": [', **headers)
    while True:
        handler.wfile.write(b" " * 2**16)


def _dripping(handler: Any) -> None:
    _write(handler, b"{")
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


def _redirect(place: str) -> Callable[[Any], None]:
    return lambda handler: send(handler, b"", status=302, Location=place)


def _say(body: object, **how: Any) -> Callable[[Any], None]:
    return lambda handler: send(handler, body, **how)


HTML = b"<html><body>Please log in to the hotel's network</body></html>"
GZIP = zlib.compressobj(wbits=31)
BOMB = GZIP.compress(b" " * 2**24) + GZIP.flush()
BAD = {
    "HTML": _say(HTML, kind="text/html"),
    "HTML called JSON": _say(HTML),
    "JSON called HTML": _say({"results": [tmdb_film(603, "The Matrix", 1999)]}, kind="text/html"),
    "no content type": lambda handler: _write(handler, b"{}", Content_Type=""),
    "bad request": _say({}, status=400),
    "too long": _say(b" " * 2**21),
    "endless": _endless,
    "deep": _say(b'{"results": ' + b"[" * 200_000),
    "packed": _say(BOMB, Content_Encoding="gzip"),
    "not UTF-8": _say(b'{"results": [{"id": 1, "title": "\xff"}]}'),
    "no results": _say({}),
    "a list": _say([]),
    "null": _say(None),
    "a text as number": _say({"results": [{"id": "603", "title": "The Matrix"}]}),
    "an endless number": _say(b'{"results": [{"id": ' + b"9" * 100_000 + b', "title": "A"}]}'),
    "too many": _say({"results": [tmdb_film(n, "The Matrix", 1999) for n in range(1, 200)]}),
    "redirected elsewhere": _redirect("http://localhost:9/3/search/movie"),
    "redirected to a file": _redirect("file:///etc/passwd"),
    "redirected to nowhere": _redirect("http://[::1"),
    "redirected for ever": _redirect("/3/search/movie?query=The+Matrix"),
}
SILENT = {
    "server error": _say({}, status=500),
    "overloaded": _say({}, status=503),
    "too many requests": _say({}, status=429, Retry_After="0"),
    "silent": lambda handler: time.sleep(1),
    "cut": lambda handler: _write(handler, b'{"results": [', Content_Length="500"),
    "no answer": lambda handler: None,
    "not HTTP": lambda handler: handler.wfile.write(b"220 mail.example.org ESMTP\r\n" * 9),
    "too many headers": lambda handler: _write(
        handler, b"{}", **{f"X{n}": "1" for n in range(999)}
    ),
    "dripping": _dripping,
}


@pytest.mark.parametrize("fault", [*BAD, *SILENT])
def test_an_answer_that_is_none_leaves_all_else_as_it_was(
    server, open_metadata, monkeypatch, caplog, fault
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("movierec.posters.metadata.REST", 0.0)
    # a busy machine may take long over an answer that is refused for what it is
    longest = 0.4 if fault in SILENT else 30
    monkeypatch.setattr("movierec.posters.client.LONGEST", longest)
    server.faults["query=The+Matrix"] = (BAD | SILENT)[fault]
    silence = 0.2 if fault == "silent" else 3.0
    films, answers = open_metadata(tmdb(server, silence=silence)), Answers()

    films.ask(rows(1), answers)
    _until(lambda: [line for line in caplog.records if line.name == "movierec.posters.metadata"])
    films.ask(rows(2), answers)
    answers.wait(2)

    assert films.known(1) is None
    assert 1 not in answers.came
    (told,) = [line for line in caplog.records if line.name == "movierec.posters.metadata"]
    assert told.getMessage().startswith("Matrix, The (1999): TMDB ")
    assert told.exc_info is None
    assert server.paths().count("/3/search/movie") == 1 + (
        TRIES if fault in SILENT else 4 if fault == "redirected for ever" else 1
    )
    server.faults.clear()
    assert (
        open_metadata(tmdb(server)).answers.look_up(MATRIX).title == "The Matrix"
    )  # nothing was kept


def test_nobody_at_the_address(server, open_metadata, caplog):
    server.close()
    films = open_metadata(tmdb(server))
    with pytest.raises(ProviderError, match="TMDB could not be reached") as caught:
        films.answers.look_up(MATRIX)
    assert caught.value.kind == "silent"


def test_a_provider_that_fails_is_left_alone_and_then_asked_again(
    server, open_metadata, monkeypatch, caplog
):
    monkeypatch.setattr("movierec.posters.metadata.REST", 0.4)
    server.faults["/3/"] = _say({}, status=500)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), answers)
    _until(lambda: caplog.records)
    asked = len(server.seen)
    server.faults.clear()

    films.ask(rows(2), answers)
    time.sleep(0.1)
    assert len(server.seen) == asked

    answers.wait(2)  # when the rest is over


def test_a_key_that_is_refused_is_not_tried_again(server, open_metadata, monkeypatch, caplog):
    monkeypatch.setattr("movierec.posters.metadata.REST", 0.0)
    monkeypatch.setattr("movierec.posters.metadata.THREADS", 1)
    server.faults["/3/"] = _say({"status_code": 7, "success": False}, status=401)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(MOVIES, answers)
    _until(lambda: caplog.records)
    films.ask(MOVIES, answers)
    time.sleep(0.05)
    assert len(server.seen) == 1
    assert "TMDB does not accept the key" in caplog.text


def test_a_film_with_a_bad_answer_is_spared(server, open_metadata, caplog):
    server.faults["query=The+Matrix"] = _say([])
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), answers)
    _until(lambda: caplog.records)
    films.ask(rows(1, 2), answers)
    answers.wait(2)
    assert server.paths().count("/3/search/movie") == 2  # one each


def test_retry_after_is_honoured_by_all_who_share_the_cache(server, open_metadata):
    server.faults["query=The+Matrix"] = _say({}, status=429, Retry_After="1")
    ours, theirs = open_metadata(tmdb(server)), open_metadata(tmdb(server))
    thread = threading.Thread(target=lambda: _silenced(ours.answers.look_up, MATRIX))
    thread.start()
    _until(lambda: server.seen)
    time.sleep(0.05)
    server.faults.clear()

    theirs.answers.look_up(HEAT)
    thread.join()

    first, *later = (at for *_, at in server.seen)
    assert min(later) - first >= 0.9


def _silenced(call: Callable[[Film], object], film: Film) -> None:
    with contextlib.suppress(ProviderError):
        call(film)


def test_who_wants_to_be_left_alone_for_long_is_not_waited_for(server, open_metadata):
    server.faults["/3/"] = _say({}, status=429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")
    films = open_metadata(tmdb(server))
    began = time.monotonic()
    with pytest.raises(ProviderError, match="left alone for 3600 seconds"):
        films.answers.look_up(MATRIX)
    with pytest.raises(ProviderError, match="left alone"):
        films.answers.look_up(HEAT)
    assert time.monotonic() - began < 2
    assert len(server.seen) == 1


def test_date_that_no_calendar_has_is_no_traceback(server, open_metadata):
    date = f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"
    server.faults["/3/"] = _say({}, status=429, Retry_After=date)
    with pytest.raises(ProviderError, match="answered with status 429"):
        open_metadata(tmdb(server)).answers.look_up(MATRIX)


def test_who_gives_up_waiting_takes_no_turn(server, open_metadata):
    cache = open_metadata(tmdb(server)).answers._kept
    cache.rest(100.0)
    waits = [cache.turn(interval=50.0) for _ in range(5)]
    assert max(waits) <= 100.0


def test_a_clock_that_was_wrong_keeps_nobody_away_for_long(server, open_metadata):
    cache = open_metadata(tmdb(server)).answers._kept
    cache._set_turn(time.time() + 1e9)
    assert cache.turn(interval=1.0) <= LONGEST_PAUSE


def test_processes_share_the_pace(server, open_metadata):
    made = [open_metadata(tmdb(server, interval=0.1)) for _ in range(2)]
    threads = [
        threading.Thread(target=films.answers.look_up, args=[film])
        for films, film in zip(made, (MATRIX, HEAT), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(at for *_, at in server.seen)
    assert len(times) == 4
    assert times[-1] - times[0] > 0.25


# --- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [TOKEN, OLDER_KEY])
def test_a_key_goes_to_the_provider_and_nowhere_else(
    server, open_metadata, caplog, monkeypatch, tmp_path, key
):
    caplog.set_level(logging.DEBUG)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    provider = tmdb(server, key=key)
    films = open_metadata(provider)

    films.answers.look_up(MATRIX)
    server.faults["/3/"] = _say({}, status=500)
    with pytest.raises(ProviderError) as caught:
        films.answers.look_up(HEAT)
    server.close()
    with pytest.raises(ProviderError) as unreached:
        films.answers.look_up(NOBODY)

    (_, query, headers, _), (_, picture_query, picture_headers, _), *_ = server.seen
    if key == TOKEN:
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert "api_key" not in query
    else:
        assert query["api_key"] == OLDER_KEY
        assert "authorization" not in headers
    assert "authorization" not in picture_headers
    assert not picture_query
    assert "GET /3/search/movie" in caplog.text  # it was logged, but without the key
    for text in (caplog.text, repr(provider), str(caught.value), str(unreached.value)):
        assert key not in text


def test_a_key_with_a_line_end_is_refused_without_showing_it(server, open_metadata):
    with pytest.raises(ProviderError, match="has characters that no key has") as caught:
        open_metadata(tmdb(server, key="secret\r\nHost: elsewhere")).answers.look_up(MATRIX)
    assert "secret" not in str(caught.value)
    assert caught.value.kind == "refused"


def test_a_redirection_within_the_host_is_followed(server, open_metadata):
    server.faults["/3/search/movie"] = _redirect("/moved")
    server.faults["/moved"] = _say({"results": [tmdb_film(603, "The Matrix", 1999)]})
    assert open_metadata(tmdb(server)).answers.look_up(MATRIX).title == "The Matrix"


def test_a_redirection_elsewhere_reaches_nobody(server, open_metadata):
    other = FilmServer()
    server.faults["/3/search/movie"] = _redirect(f"{other.url}/3/search/movie?query=The+Matrix")
    with pytest.raises(ProviderError, match="points to another host"):
        open_metadata(tmdb(server)).answers.look_up(MATRIX)
    other.close()
    assert other.seen == []


# --- pictures ----------------------------------------------------------------------------------


def _png(width: int, height: int) -> bytes:
    """A picture that says it is this large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    magic = b"\x89PNG\r\n\x1a\n"
    return magic + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _webp(width: int, height: int) -> bytes:
    size = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<IBI", 5, 0x2F, size) + b"\0"
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
NO_PICTURES = {
    "HTML": HTML,
    "SVG": SVG,
    "GIF": picture("GIF"),
    "TIFF": picture("TIFF"),
    "empty": b"",
    "cut JPEG": picture()[:1500],
    "cut PNG": picture("PNG")[:-500],
    "cut WebP": picture("WEBP")[:-50],
    "JPEG's first bytes alone": b"\xff\xd8\xff" + HTML,
    "RIFF of another kind": b"RIFF\x24\0\0\0WAVEfmt ",
    "PNG bomb": _png(50_000, 50_000),
    "WebP bomb": _webp(16_383, 16_383),
    "JPEG bomb": picture(size=(3_000, 3_000)),
    "JPEG of many scans": picture() + b"\xff\xda\0\x08" * 200,
}


@pytest.mark.parametrize("content", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_what_is_no_picture_is_refused(content):
    with pytest.raises(ProviderError, match="picture"):
        redrawn(content)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_written_anew_no_larger_than_a_poster(kind):
    image = Image.open(io.BytesIO(redrawn(picture(kind, (500, 750)) + HTML)))
    image.load()
    assert image.format == "JPEG"
    assert image.size == (342, 513)
    red, green, blue = image.getpixel((100, 100))
    assert (red < 30, 100 < green < 156, 100 < blue < 156) == (True, True, True)  # teal


def test_nothing_hides_in_a_picture():
    sink = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    Image.new("RGBA", (50, 80)).save(sink, "PNG", exif=exif)
    written = redrawn(sink.getvalue() + HTML)
    assert b"script" not in written
    assert b"hotel" not in written


POSTER_FAULTS = {
    "HTML": _say(HTML, kind="text/html"),
    "a picture called HTML": _say(picture(), kind="text/html"),
    "HTML called a picture": _say(HTML, kind="image/jpeg"),
    "SVG": _say(SVG, kind="image/svg+xml"),
    "gone": _say({}, status=404),
    "server error": _say({}, status=500),
    "bomb": _say(_png(50_000, 50_000), kind="image/png"),
    "too long": _say(picture() + b" " * 2**21, kind="image/jpeg"),
    "endless": lambda handler: _endless(handler, Content_Type="image/jpeg"),
    "redirected": _redirect("http://169.254.169.254/latest/meta-data"),
}


@pytest.mark.parametrize("fault", POSTER_FAULTS.values(), ids=POSTER_FAULTS.keys())
def test_without_its_poster_a_film_has_its_text_and_is_asked_for_again_soon(
    server, open_metadata, monkeypatch, fault
):
    server.faults["/t/p/w342/poster603.jpg"] = fault
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1, 2), answers)
    answers.wait(1, 2)
    assert answers.came[1] == [Details("The Matrix", "What happens in The Matrix.", None, "TMDB")]
    assert answers.came[2][0].poster

    monkeypatch.setattr(time, "time", lambda now=time.time: now() + KEPT_PARTLY)
    assert films.known(1) is None
    assert films.known(2)


@pytest.mark.parametrize(
    "path",
    ["//evil.example/a.jpg", "/../../etc/passwd", "@evil.example/a.jpg", "/a.svg", "/a.jpg?x"],
)
def test_a_poster_is_asked_of_no_other_place(server, open_metadata, path):
    server.films[0]["poster_path"] = path
    details = open_metadata(tmdb(server)).answers.look_up(MATRIX)
    assert details.poster is None
    assert server.paths() == ["/3/search/movie"]


# --- text and films ----------------------------------------------------------------------------


def test_text_loses_what_a_page_or_terminal_would_obey():
    assert clean("  The\x1b[31m \u202eMatrix\x00\r\n\u2066 ", 100) == "The[31m Matrix"
    assert clean("Ame\u0301lie", 100) == "Amélie"
    assert clean("👩\u200d🚀 हिन्दी", 100) == "👩\u200d🚀 हिन्दी"
    assert clean("\ud800 \x07", 100) is None
    assert clean("a" * 300, 200) == "a" * 199 + "…"


def test_script_in_an_answer_stays_text(server, open_metadata):
    """A page escapes what it shows; here it must neither fail nor be changed."""
    hostile = "The Matrix<img src=x onerror=alert(1)>"
    server.films[0] |= {"title": hostile, "overview": "</p><script>alert(1)</script>"}
    server.faults["/3/search/movie"] = _say({"results": [server.films[0]]})
    details = open_metadata(tmdb(server)).answers.look_up(MATRIX)
    assert details.title == hostile
    assert details.overview == "</p><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("title", "year", "answers", "wanted"),
    [
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "1999")], 0),
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "2003")], None),
        ("Matrix, The (1999)", 1999, [("The Matrix", "", "")], None),
        ("Matrix, The (1999)", 1999, [("The Mummy", "", "1999")], None),
        ("Matrix, The (1999)", 1999, [], None),
        ("Heat (1995)", 1995, [("Heat", "", "1996"), ("Heat", "", "1995")], 1),
        ("Heat (1995)", 1995, [("Dead Heat", "", "1995"), ("Heat", "", "1995")], 1),
        (
            "Star Wars: Episode IV - A New Hope (1977)",
            1977,
            [("Star Wars", "Star Wars", "1977")],
            0,
        ),
        (
            "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
            1995,
            [("迷失的城市", "La Cité des enfants perdus", "1995")],
            0,
        ),
        (
            "Seven Samurai (The Magnificent Seven) (Shichinin no samurai) (1954)",
            1954,
            [("Seven Samurai", "七人の侍", "1954")],
            0,
        ),
        (
            "Star Wars: Episode V - The Empire Strikes Back (1980)",
            1980,
            [("Star Wars", "", "1980"), ("The Empire Strikes Back", "", "1980")],
            1,
        ),
        ("Tin Moon (1990)", 1990, [("Tin Mooon", "", "1990")], 0),
        ("Tin Moon (1990)", 1990, [("Tin Mooon", "", "1991")], None),
        ("Tin Moon (1990)", 1990, [("Tin Moon II", "", "1990"), ("Tin Moon 3", "", "1990")], None),
        ("Tin Moon II (1990)", 1990, [("Tin Moon III", "", "1990")], None),
        ("Tin Moon, The (1990)", 1990, [("The Tin Moon & the Sea", "", "1990")], None),
        ("Tin Moon & Sun (1990)", 1990, [("Tin Moon and Sun", "", "1990")], 0),
        ("Tin Moon", None, [("Tin Moons", "", "1990"), ("Tin Moon", "", "1990")], 1),
        ("Tin Moon", None, [("Tin Moon Rising", "", "1990")], None),
        ("Matrix, The (1999)", 1999, [("", "", "1999"), ("!!!", "", "1999")], None),
    ],
)
def test_a_film_is_known_by_its_title_and_its_year(title, year, answers, wanted):
    names = [([first, second], year_text) for first, second, year_text in answers]
    assert best_match(Film(title, year), names) == wanted


def test_no_film_of_the_catalogue_is_taken_for_another(real_1m):
    """One in ten is looked for among all others, as if the provider lacked it alone."""
    spoken: dict[int, list[tuple[list[str], str]]] = {}
    for movie in real_1m.movies.itertuples():
        spoken.setdefault(movie.year, []).append(([title_forms(movie.title)[0]], str(movie.year)))
    taken = 0
    for movie in real_1m.movies.iloc[::10].itertuples():
        itself = ([title_forms(movie.title)[0]], str(movie.year))
        years = range(movie.year - 1, movie.year + 2)
        others = [other for year in years for other in spoken.get(year, []) if other != itself]
        taken += best_match(Film(movie.title, movie.year), others) is not None
    assert taken <= 1  # two of all films are in it twice, under two titles


def test_a_wrong_film_is_none(server, open_metadata):
    server.films = [tmdb_film(604, "The Matrix", 2003)]
    assert open_metadata(tmdb(server)).answers.look_up(MATRIX) is None
    server.faults["/3/movie/603"] = _say(tmdb_film(604, "The Matrix Reloaded", 2003))
    with pytest.raises(ProviderError, match="another film"):
        open_metadata(tmdb(server)).answers.look_up(Film("Matrix, The (1999)", 1999, tmdb_id=603))


# --- Douban ------------------------------------------------------------------------------------


def douban(server: FilmServer, **manners: Any) -> Douban:
    quick = {"interval": 0.0, "silence": 3.0, "backoff": 0.01}
    return Douban(api=server.url, images=server.url, **(quick | manners))


def suggested(server: FilmServer, **changes: str) -> dict[str, str]:
    film = {
        "episode": "",
        "img": f"{server.url}/view/photo/s_ratio_poster/public/p1.jpg",
        "title": "黑客帝国",
        "url": "https://movie.douban.com/subject/1291843/?suggest=The+Matrix",
        "type": "movie",
        "year": "1999",
        "sub_title": "The Matrix",
        "id": "1291843",
        "imdb": "tt0133093",  # not in an answer: how the server finds it
    }
    return film | changes


@pytest.mark.parametrize("imdb_id", [None, 133093])
def test_douban_gives_chinese_titles_and_posters(server, open_metadata, imdb_id):
    server.suggested = [suggested(server)]
    films = open_metadata(douban(server))

    details = films.answers.look_up(Film("Matrix, The (1999)", 1999, imdb_id=imdb_id))

    assert (details.title, details.overview, details.source) == ("黑客帝国", None, "Douban")
    assert details.poster
    assert films.language == "zh-CN"
    (_, query, _, _), (_, _, headers, _) = server.seen
    assert query == {"q": "tt0133093" if imdb_id else "The Matrix"}
    assert headers["referer"] == f"{server.url}/"  # without it Douban shows no picture


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://img1.doubanio.com.evil.example/p1.jpg",
        "https://img1.doubanio.com@evil.example/p1.jpg",
        "file:///etc/passwd",
        "http://[::1",
        "/etc/passwd",
        "",
    ],
)
def test_douban_pictures_elsewhere_are_not_fetched(server, open_metadata, address):
    server.suggested = [suggested(server, img=address)]
    details = open_metadata(douban(server)).answers.look_up(MATRIX)
    assert details.title == "黑客帝国"
    assert details.poster is None
    assert server.paths() == ["/j/subject_suggest"]
    real = Douban()
    assert real._client.allows("https://img9.doubanio.com/view/p1.jpg")
    assert not real._client.allows(address)


def test_no_other_host_is_reached_through_an_answer(server, open_metadata):
    other = FilmServer()
    address = f"{other.url}/view/photo/p1.jpg"
    server.suggested = [suggested(server, img=address)]
    provider = douban(server)
    assert open_metadata(provider).answers.look_up(MATRIX).poster is None
    with pytest.raises(ProviderError, match="points to another host"):
        provider.poster(address, open_metadata(provider).answers._pace)
    server.faults["/view/photo/"] = _redirect(address)
    server.suggested = [suggested(server, sub_title="Heat", year="1995")]
    assert open_metadata(provider).answers.look_up(HEAT).poster is None
    other.close()
    assert "/view/photo/s_ratio_poster/public/p1.jpg" in server.paths()
    assert other.seen == []


def test_the_picture_that_douban_has_for_films_without_one_is_none(server, open_metadata):
    address = f"{server.url}/f/movie/pics/movie/movie_default_small.png"
    server.suggested = [suggested(server, img=address)]
    assert open_metadata(douban(server)).answers.look_up(MATRIX).poster is None
    assert server.paths() == ["/j/subject_suggest"]


def test_douban_that_refuses_is_left_alone_for_an_hour(server, open_metadata):
    server.faults["/j/"] = _say(HTML, status=403, kind="text/html")
    for _ in range(2):
        with pytest.raises(ProviderError, match="left alone for 3600 seconds"):
            open_metadata(douban(server)).answers.look_up(MATRIX)
    assert len(server.seen) == 1


# --- the disk and the page ---------------------------------------------------------------------


def test_a_damaged_cache_is_begun_anew(server, open_metadata, tmp_path, caplog):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "answers.sqlite").write_bytes(HTML * 100)
    films = open_metadata(tmdb(server))
    assert "damaged" in caplog.text
    films.answers.look_up(MATRIX)
    assert films.known(1)


def test_a_cache_of_somebody_else_shows_nothing_that_was_not_written_here(
    server, open_metadata, tmp_path
):
    films = open_metadata(tmdb(server))
    films.answers.look_up(MATRIX)
    with sqlite3.connect(tmp_path / "cache" / "answers.sqlite") as db:
        db.execute("UPDATE answers SET title = x'3C', overview = x'00', poster = ?", [SVG])
    db.close()
    assert films.known(1) == Details(None, None, None, "TMDB")


def test_without_a_place_on_the_disk_answers_are_kept_in_memory(server, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    films = Metadata(tmdb(server), MOVIES, tmp_path / "file" / "cache")
    films.answers.look_up(MATRIX)
    assert films.known(1).title == "The Matrix"
    assert "kept in memory" in caplog.text
    films.close()


def test_a_disk_that_fails_later_takes_nothing_from_the_page(server, open_metadata, caplog):
    films, answers = open_metadata(tmdb(server)), Answers()
    films.answers._keeping._db.execute("DROP TABLE answers")
    films.answers._keeping._db.execute("CREATE VIEW answers AS SELECT 1 WHERE 0")
    films.ask(rows(1), answers)
    _until(lambda: caplog.records)
    assert films.known(1) is None
    films.ask(rows(2), answers)  # and nothing is raised


def test_a_full_disk_takes_nothing_from_the_page(server, small_disk, caplog):
    films, answers = Metadata(tmdb(server), MOVIES, small_disk), Answers()
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(b"x" * 2**20)
    films.ask(rows(1), answers)
    _until(lambda: "disk is full" in caplog.text)
    assert films.known(1) is None
    films.ask(rows(2), answers)  # and nothing is raised
    films.close()


def test_a_page_whose_callback_fails_keeps_no_other_from_its_picture(server, open_metadata, caplog):
    def failing(movie_id: int, details: Details) -> None:
        raise RuntimeError("the card is gone")

    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(rows(1), failing)
    films.ask(rows(1), answers)
    films.ask(rows(2), answers)
    answers.wait(1, 2)
    assert "the card is gone" in caplog.text


def test_a_closed_one_ends_at_once_and_calls_nobody(server, open_metadata):
    server.faults["/3/"] = lambda handler: server.released.wait(2)
    films, answers = open_metadata(tmdb(server)), Answers()
    films.ask(MOVIES, answers)
    _until(lambda: server.seen)
    began = time.monotonic()
    films.close()
    assert time.monotonic() - began < 1.5
    films.ask(MOVIES, answers)
    assert films.known(1) is None
    server.faults.clear()
    server.released.set()
    time.sleep(0.1)
    assert answers.came == {}


def test_what_is_known_is_told_at_once(server, open_metadata):
    films = open_metadata(tmdb(server))
    films.answers.look_up(MATRIX)
    times = []
    for _ in range(200):
        began = time.perf_counter()
        films.known(1)
        times.append(time.perf_counter() - began)
    assert sorted(times)[100] < 0.002


# --- how it is turned on -----------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch, tmp_path) -> pytest.MonkeyPatch:
    names = (*KEY_VARIABLES, PROVIDER_VARIABLE, LANGUAGE_VARIABLE)
    for name in (*names, MIRROR_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path))
    return monkeypatch


def test_without_a_key_nothing_is_asked(environment):
    assert configured(MOVIES) is None


@pytest.mark.parametrize("name", KEY_VARIABLES)
def test_a_key_turns_tmdb_on(environment, tmp_path, name):
    environment.setenv(name, f" {TOKEN}\n")
    environment.setenv("MOVIEREC_LANGUAGE", "zh-CN")
    films = configured(MOVIES)
    assert (films.answers.provider.name, films.answers.provider.key) == ("tmdb", TOKEN)
    assert films.language == "zh-CN"
    assert films.answers.provider.api == "https://api.themoviedb.org"
    assert "not endorsed or certified by TMDB" in films.attribution
    assert (tmp_path / "metadata" / "answers.sqlite").exists()
    films.close()
    environment.setenv("MOVIEREC_METADATA", "off")
    assert configured(MOVIES) is None


def test_douban_needs_to_be_named_and_no_key(environment):
    environment.setenv("MOVIEREC_METADATA", "douban")
    films = configured(MOVIES)
    assert films.answers.provider.name == "douban"
    films.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MOVIEREC_METADATA": "imdb"}, "unknown provider of posters 'imdb'; expected tmdb or"),
        ({"MOVIEREC_METADATA": "tmdb"}, "TMDB needs a key"),
        ({"TMDB_TOKEN": TOKEN, "MOVIEREC_LANGUAGE": "chinese"}, "the language 'chinese'"),
        ({"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "mirror"}, "expected an address such as"),
        (
            {"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "https://[::1"},
            "expected an address such as",
        ),
        ({"TMDB_TOKEN": TOKEN, "MOVIEREC_TMDB_MIRROR": "http://a.example"}, "expected https"),
    ],
)
def test_wrong_settings_are_told(environment, settings, words):
    for name, value in settings.items():
        environment.setenv(name, value)
    with pytest.raises(InputError, match=words) as caught:
        configured(MOVIES)
    assert TOKEN not in str(caught.value)
