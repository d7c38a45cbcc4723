"""Pictures and texts of a provider: what is none is refused, what is one is made harmless."""

from __future__ import annotations

import io
import struct
import time
import zlib

import pytest
from asking import HTML, MATRIX, SVG, endless, redirect, say, shown, tmdb
from film_server import picture
from PIL import Image

from movierec.posters.films import Details, ProviderError
from movierec.posters.harmless import clean, redrawn
from movierec.posters.metadata import AGAIN


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
    "HTML": say(HTML, kind="text/html"),
    "a picture called HTML": say(picture(), kind="text/html"),
    "HTML called a picture": say(HTML, kind="image/jpeg"),
    "SVG": say(SVG, kind="image/svg+xml"),
    "gone": say({}, status=404),
    "server error": say({}, status=500),
    "bomb": say(_png(50_000, 50_000), kind="image/png"),
    "too long": say(picture() + b" " * 2**21, kind="image/jpeg"),
    "endless": lambda handler: endless(handler, Content_Type="image/jpeg"),
    "redirected": redirect("http://169.254.169.254/latest/meta-data"),
}


@pytest.mark.parametrize("fault", POSTER_FAULTS.values(), ids=POSTER_FAULTS.keys())
def test_without_its_poster_a_film_has_its_text_and_is_asked_for_again_soon(
    server, open_metadata, monkeypatch, fault
):
    server.faults["/t/p/w342/poster603.jpg"] = fault
    films = open_metadata(tmdb(server))
    first, second = shown(films, 1, 2)
    assert first == Details("The Matrix", "What happens in The Matrix.", None)
    assert second.poster

    monkeypatch.setattr(time, "time", lambda now=time.time: now() + AGAIN)
    assert films.known(1) is None
    assert films.known(2)


@pytest.mark.parametrize(
    "path",
    ["//evil.example/a.jpg", "/../../etc/passwd", "@evil.example/a.jpg", "/a.svg", "/a.jpg?x"],
)
def test_a_poster_is_asked_of_no_other_place(server, open_metadata, path):
    server.films[0]["poster_path"] = path
    details = open_metadata(tmdb(server)).look_up(MATRIX)
    assert details.poster is None
    assert server.paths() == ["/3/search/movie"]


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
    server.faults["/3/search/movie"] = say({"results": [server.films[0]]})
    details = open_metadata(tmdb(server)).look_up(MATRIX)
    assert details.title == hostile
    assert details.overview == "</p><script>alert(1)</script>"
