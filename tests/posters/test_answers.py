"""Answers that are none, and keys: a server that misbehaves in every way."""

from __future__ import annotations

import logging
import time
import zlib
from typing import Any

import pytest
from asking import (
    HEAT,
    HTML,
    MATRIX,
    NOBODY,
    TOKEN,
    endless,
    redirect,
    say,
    shown,
    tmdb,
    until,
    write,
)
from film_server import FilmServer, tmdb_film

from movierec.posters.films import ProviderError
from movierec.posters.tmdb import TRIES


def _dripping(handler: Any) -> None:
    write(handler, b"{")
    while True:
        handler.wfile.write(b" ")
        time.sleep(0.05)


GZIP = zlib.compressobj(wbits=31)
BOMB = GZIP.compress(b" " * 2**24) + GZIP.flush()
BAD = {
    "HTML": say(HTML, kind="text/html"),
    "HTML called JSON": say(HTML),
    "JSON called HTML": say({"results": [tmdb_film(603, "The Matrix", 1999)]}, kind="text/html"),
    "no content type": lambda handler: write(handler, b"{}", Content_Type=""),
    "bad request": say({}, status=400),
    "too long": say(b" " * 2**21),
    "endless": endless,
    "deep": say(b'{"results": ' + b"[" * 200_000),
    "packed": say(BOMB, Content_Encoding="gzip"),
    "not UTF-8": say(b'{"results": [{"id": 1, "title": "\xff"}]}'),
    "no results": say({}),
    "a list": say([]),
    "null": say(None),
    "a text as number": say({"results": [{"id": "603", "title": "The Matrix"}]}),
    "an endless number": say(b'{"results": [{"id": ' + b"9" * 100_000 + b', "title": "A"}]}'),
    "too many": say({"results": [tmdb_film(n, "The Matrix", 1999) for n in range(1, 200)]}),
    "redirected elsewhere": redirect("http://localhost:9/3/search/movie"),
    "redirected to a file": redirect("file:///etc/passwd"),
    "redirected to nowhere": redirect("http://[::1"),
    "redirected within the host": redirect("/3/search/movie?query=Heat"),
}
SILENT = {
    "server error": say({}, status=500),
    "overloaded": say({}, status=503),
    "too many requests": say({}, status=429, Retry_After="0"),
    "silent": lambda handler: time.sleep(1),
    "cut": lambda handler: write(handler, b'{"results": [', Content_Length="500"),
    "no answer": lambda handler: None,
    "not HTTP": lambda handler: handler.wfile.write(b"220 mail.example.org ESMTP\r\n" * 9),
    "too many headers": lambda handler: write(handler, b"{}", **{f"X{n}": "1" for n in range(999)}),
    "dripping": _dripping,
}


@pytest.mark.parametrize("fault", [*BAD, *SILENT])
def test_an_answer_that_is_none_leaves_all_else_as_it_was(
    server, open_metadata, monkeypatch, caplog, fault
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("movierec.posters.metadata.REST", 0.0)
    monkeypatch.setattr("movierec.posters.metadata.AGAIN", 0.0)
    # a busy machine may take long over an answer that is refused for what it is
    longest = 0.4 if fault in SILENT else 30
    monkeypatch.setattr("movierec.posters.tmdb.LONGEST", longest)
    server.faults["query=The+Matrix"] = (BAD | SILENT)[fault]
    silence = 0.2 if fault == "silent" else 3.0
    films = open_metadata(tmdb(server, silence=silence))

    films.ask([1])
    until(lambda: [line for line in caplog.records if line.name == "movierec.posters.metadata"])
    shown(films, 2)

    assert films.known(1) is None
    (told,) = [line for line in caplog.records if line.name == "movierec.posters.metadata"]
    assert told.getMessage().startswith("Matrix, The (1999): TMDB ")
    assert told.exc_info is None
    asked = server.paths().count("/3/search/movie")
    assert asked == 1 + (TRIES if fault in SILENT else 1)
    server.faults.clear()
    assert open_metadata(tmdb(server)).look_up(MATRIX).title == "The Matrix"  # nothing was kept


def test_nobody_at_the_address(server, open_metadata, caplog):
    server.close()
    films = open_metadata(tmdb(server))
    with pytest.raises(ProviderError, match="TMDB could not be reached") as caught:
        films.look_up(MATRIX)
    assert caught.value.kind == "silent"


def test_date_that_no_calendar_has_is_no_traceback(server, open_metadata):
    date = f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"
    server.faults["/3/"] = say({}, status=429, Retry_After=date)
    with pytest.raises(ProviderError, match="answered with status 429"):
        open_metadata(tmdb(server)).look_up(MATRIX)


def test_a_key_goes_to_the_provider_and_nowhere_else(
    server, open_metadata, caplog, monkeypatch, tmp_path
):
    caplog.set_level(logging.DEBUG)
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    provider = tmdb(server)
    films = open_metadata(provider)

    films.look_up(MATRIX)
    server.faults["/3/"] = say({}, status=500)
    with pytest.raises(ProviderError) as caught:
        films.look_up(HEAT)
    server.close()
    with pytest.raises(ProviderError) as unreached:
        films.look_up(NOBODY)

    (_, query, headers, _), (_, picture_query, picture_headers, _), *_ = server.seen
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in query.values()
    assert "authorization" not in picture_headers
    assert not picture_query
    assert "GET /3/search/movie" in caplog.text  # it was logged, but not the key
    for text in (caplog.text, repr(provider), str(caught.value), str(unreached.value)):
        assert TOKEN not in text


def test_a_redirection_elsewhere_reaches_nobody(server, open_metadata):
    other = FilmServer()
    server.faults["/3/search/movie"] = redirect(f"{other.url}/3/search/movie?query=The+Matrix")
    with pytest.raises(ProviderError, match="answered with status 302"):
        open_metadata(tmdb(server)).look_up(MATRIX)
    other.close()
    assert other.seen == []
