"""MovieLens' archives: what a download leaves, whatever a server does, and ML-100K's own folds."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from forms import FORMS, write_folder, zipped

from movierec import grouplens
from movierec.data.datasets import load_dataset
from movierec.errors import InputError
from movierec.files import alone
from movierec.grouplens import official_fold

pytestmark = pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning")

# --- ML-100K's own folds ------------------------------------------------------------------------


def test_ml100k_official_fold_gives_the_rows_of_its_test_file(tmp_path):
    files = FORMS["ml-100k"] | {"u1.test": b"5\t2\t1\t999\n1\t7\t3\t1001\n"}
    folder = write_folder(tmp_path / "set", files)
    tables = load_dataset("mine", folder)
    assert official_fold(tables, folder, "u1").tolist() == [3, 1]


@pytest.mark.parametrize(
    ("fold", "content", "told"),
    [
        ("u2", b"", "u2.test is missing: only ML-100K has the official folds u1 to u5"),
        ("u9", b"", "u9.test is missing: only ML-100K has the official folds u1 to u5"),
        ("u1", b"5\t7\t1\t999\n", "rating of movie 7 by user 5 that the ratings do not have"),
    ],
)
def test_official_fold_that_is_not_there_is_refused(tmp_path, fold, content, told):
    folder = write_folder(tmp_path / "set", FORMS["ml-100k"] | {"u1.test": content})
    with pytest.raises(InputError, match=told):
        official_fold(load_dataset("mine", folder), folder, fold)


def test_data_without_files_has_no_official_folds(small_tables, monkeypatch, tmp_path):
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path))
    with pytest.raises(InputError, match=r"sample has no u1.test: only ML-100K"):
        official_fold(small_tables, None, "u1")


# --- downloads, from a server on this machine ----------------------------------------------------


class Mirror:
    """A web server that answers by a script.

    `answers` maps a path to a list of (status, body, length announced); the last one is given
    again and again. `redirects` maps a path to an address. `dripping` are paths whose body comes
    byte by byte, without end. `asked` are the paths asked for, in order.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes, int]]] = {}
        self.asked: list[str] = []
        self.redirects: dict[str, str] = {}
        self.dripping: set[str] = set()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.asked.append(self.path)
                if address := mirror.redirects.get(self.path):
                    self.send_response(302)
                    self.send_header("Location", address)
                    self.end_headers()
                    return
                script = mirror.answers.get(self.path, [(404, b"", 0)])
                status, body, length = script.pop(0) if len(script) > 1 else script[0]
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                while self.path in mirror.dripping:
                    try:
                        self.wfile.write(body)
                    except OSError:  # the other side has hung up
                        return
                    time.sleep(0.01)
                self.wfile.write(body)  # and HTTP/1.0 closes the connection

            def log_message(self, *parts: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/sets"

    def serve(self, name: str, *bodies: bytes) -> None:
        self.answers[f"/sets/{name}"] = [(200, body, len(body)) for body in bodies]


@pytest.fixture
def mirror(tmp_path, monkeypatch) -> Iterator[Mirror]:
    """A mirror that MOVIEREC_MIRROR names, with an empty data folder and no waiting."""
    mirror = Mirror()
    thread = threading.Thread(target=mirror.server.serve_forever, args=[0.01])
    thread.start()
    monkeypatch.setenv("MOVIEREC_MIRROR", mirror.url)
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(grouplens, "PAUSE", 0.0)
    yield mirror
    mirror.server.shutdown()
    thread.join()
    mirror.server.server_close()


@pytest.fixture
def archive(mirror, monkeypatch) -> bytes:
    """A small ML-1M whose checksum is taken for the published one."""
    content = zipped(FORMS["ml-1m"], "ml-1m/")
    monkeypatch.setitem(grouplens.ARCHIVES, "ml-1m", hashlib.md5(content).hexdigest())
    return content


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def failed_download(name: str) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset(name)
    return str(caught.value)


def test_download_comes_from_the_mirror_once(mirror, archive, tmp_path):
    mirror.serve("ml-1m.zip", archive)
    assert len(load_dataset("ml-1m").ratings) == 4
    assert len(load_dataset("ml-1m").ratings) == 4
    assert mirror.asked == ["/sets/ml-1m.zip"]
    assert files_in(tmp_path / "data") == ["ml-1m.zip"]


def test_what_a_killed_download_had_received_goes_with_the_next(mirror, archive, tmp_path):
    left = tmp_path / "data" / ".ml-1m.zip.writing" / "new"
    left.parent.mkdir(parents=True)
    left.write_bytes(archive[:100])
    mirror.serve("ml-1m.zip", archive)
    assert len(load_dataset("ml-1m").ratings) == 4
    assert files_in(tmp_path / "data") == ["ml-1m.zip"]


def test_second_download_of_the_same_says_that_another_is_under_way(mirror, archive, tmp_path):
    mirror.serve("ml-1m.zip", archive)
    with alone(tmp_path / "data" / "ml-1m.zip"):
        assert "another process is writing to" in failed_download("ml-1m")
    assert mirror.asked == []


@pytest.mark.parametrize(
    ("mode", "told", "bar"), [("off", False, False), ("lines", True, False), ("bar", True, True)]
)
def test_download_tells_no_more_than_is_wanted(
    mirror, archive, monkeypatch, capsys, mode, told, bar
):
    monkeypatch.setenv("MOVIEREC_PROGRESS", mode)
    mirror.serve("ml-1m.zip", archive)
    load_dataset("ml-1m")
    said = capsys.readouterr().err
    assert (f"downloading {mirror.url}/ml-1m.zip\n" in said) == told
    assert (re.search(r"ml-1m .*100%", said) is not None) == bar


def test_mirror_address_may_end_in_a_slash(mirror, archive, monkeypatch):
    monkeypatch.setenv("MOVIEREC_MIRROR", mirror.url + "/")
    mirror.serve("ml-1m.zip", archive)
    assert len(load_dataset("ml-1m").ratings) == 4


def test_file_of_a_wrong_checksum_is_removed_and_never_read(mirror, archive, tmp_path):
    mirror.serve("ml-1m.zip", zipped(FORMS["csv"]))
    message = failed_download("ml-1m")
    assert f"could not download {mirror.url}/ml-1m.zip" in message
    assert grouplens.ARCHIVES["ml-1m"] in message
    for way in ("--from PATH", "MOVIEREC_MIRROR"):
        assert way in message
    assert files_in(tmp_path / "data") == []


def test_mirror_without_the_file_names_the_ways_out(mirror, archive, tmp_path):
    message = failed_download("ml-1m")
    for part in (f"{mirror.url}/ml-1m.zip", "404", "--from PATH", "MOVIEREC_MIRROR"):
        assert part in message
    assert files_in(tmp_path / "data") == []


def test_mirror_that_does_not_answer_names_the_ways_out(mirror, archive, monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        address = f"http://127.0.0.1:{closed.server_port}"
    monkeypatch.setenv("MOVIEREC_MIRROR", address)
    message = failed_download("ml-1m")
    for part in (address, "--from PATH", "MOVIEREC_MIRROR"):
        assert part in message


def test_cut_connection_is_tried_again(mirror, archive, tmp_path):
    cut = (200, archive[: len(archive) // 2], len(archive))
    mirror.answers["/sets/ml-1m.zip"] = [cut, cut, (200, archive, len(archive))]
    assert len(load_dataset("ml-1m").ratings) == 4
    assert len(mirror.asked) == 3
    assert files_in(tmp_path / "data") == ["ml-1m.zip"]


def test_server_that_sends_without_end_is_left(mirror, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(grouplens, "LARGEST", 100_000)
    mirror.answers["/sets/ml-1m.zip"] = [(200, b"x" * 20_000, 2**40)]
    mirror.dripping.add("/sets/ml-1m.zip")
    assert "the server sends more than 100,000 bytes" in failed_download("ml-1m")
    assert files_in(tmp_path / "data") == []


def test_server_that_is_too_slow_is_left(mirror, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(grouplens, "SILENCE", 0.1)
    mirror.answers["/sets/ml-1m.zip"] = [(200, b"x", len(archive))]
    mirror.dripping.add("/sets/ml-1m.zip")
    message = failed_download("ml-1m")
    assert re.search(r"the server sent only \d+ bytes in \d+ seconds", message)
    assert files_in(tmp_path / "data") == []


def test_server_that_falls_silent_is_left(mirror, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(grouplens, "SILENCE", 0.1)
    monkeypatch.setattr(mirror.server.RequestHandlerClass, "do_GET", lambda _: time.sleep(0.5))
    assert "could not download" in failed_download("ml-1m")
    assert files_in(tmp_path / "data") == []


@pytest.mark.parametrize("change", [-1, 1])
def test_file_of_another_length_than_announced_is_refused(mirror, archive, tmp_path, change):
    mirror.answers["/sets/ml-1m.zip"] = [(200, archive, len(archive) + change)]
    assert "could not download" in failed_download("ml-1m")
    assert files_in(tmp_path / "data") == []


def test_redirected_archive_is_believed_by_its_checksum_alone(mirror, archive, tmp_path):
    other = mirror.url.replace("127.0.0.1", "localhost").replace("/sets", "/elsewhere")
    mirror.redirects["/sets/ml-1m.zip"] = f"{other}/a.zip"
    mirror.answers["/elsewhere/a.zip"] = [(200, archive + b"x", len(archive) + 1)]
    assert grouplens.ARCHIVES["ml-1m"] in failed_download("ml-1m")
    assert files_in(tmp_path / "data") == []
    mirror.answers["/elsewhere/a.zip"] = [(200, archive, len(archive))]
    assert len(load_dataset("ml-1m").ratings) == 4


def test_checksum_of_another_host_is_not_believed(mirror, tmp_path):
    content = zipped(FORMS["csv"])
    other = mirror.url.replace("127.0.0.1", "localhost").replace("/sets", "/elsewhere")
    mirror.serve("ml-latest-small.zip", content)
    mirror.redirects["/sets/ml-latest-small.zip.md5"] = f"{other}/sum"
    sum_file = hashlib.md5(content).hexdigest().encode()
    mirror.answers["/elsewhere/sum"] = [(200, sum_file, len(sum_file))]
    assert "it is redirected to another host, localhost" in failed_download("ml-latest-small")
    assert files_in(tmp_path / "data") == []


def test_redirection_in_a_circle_ends(mirror, archive):
    mirror.redirects["/sets/ml-1m.zip"] = f"{mirror.url}/ml-1m.zip"
    assert "redirects" in failed_download("ml-1m")


def test_connection_that_is_always_cut_leaves_nothing(mirror, archive, tmp_path):
    mirror.answers["/sets/ml-1m.zip"] = [(200, archive[: len(archive) // 2], len(archive))]
    assert "could not download" in failed_download("ml-1m")
    assert len(mirror.asked) == 4  # once, and three times again
    assert files_in(tmp_path / "data") == []


def test_full_disk_while_downloading_is_said(mirror, archive, tmp_path, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    mirror.serve("ml-1m.zip", archive)
    monkeypatch.setattr(Path, "replace", full)  # how a finished download gets to its place
    message = failed_download("ml-1m")
    assert f"could not use {tmp_path / 'data'}: No space left on device" in message
    assert "MOVIEREC_DATA" in message
    assert files_in(tmp_path / "data") == []


def test_archive_that_fills_a_disk_leaves_nothing_there(mirror, small_disk, monkeypatch):
    content = b"x" * 2**20
    monkeypatch.setitem(grouplens.ARCHIVES, "ml-1m", hashlib.md5(content).hexdigest())
    monkeypatch.setenv("MOVIEREC_DATA", str(small_disk / "data"))
    mirror.serve("ml-1m.zip", content)
    assert f"could not use {small_disk / 'data'}: No space left on device" in failed_download(
        "ml-1m"
    )
    assert files_in(small_disk / "data") == []


def test_data_folder_that_is_a_file_is_said(mirror, archive, tmp_path):
    (tmp_path / "data").write_text("x")
    assert str(tmp_path / "data") in failed_download("ml-1m")


def test_set_that_changes_in_place_is_checked_against_its_md5_file(mirror, tmp_path):
    old, new = zipped(FORMS["csv"]), zipped(FORMS["csv"], "ml-latest-small/")
    for content in (old, new):
        mirror.serve("ml-latest-small.zip", content)
        sum_file = f"{hashlib.md5(content).hexdigest()}  ml-latest-small.zip\n".encode()
        mirror.serve("ml-latest-small.zip.md5", sum_file)
        assert len(load_dataset("ml-latest-small").ratings) == 4
        assert files_in(tmp_path / "data") == ["ml-latest-small.zip"]
        (tmp_path / "data" / "ml-latest-small.zip").unlink()


@pytest.mark.parametrize("body", [b"<html>moved</html>", b"\xff\xfe"])
def test_md5_file_without_a_sum_is_refused(mirror, body):
    mirror.serve("ml-latest-small.zip", zipped(FORMS["csv"]))
    mirror.serve("ml-latest-small.zip.md5", body)
    message = failed_download("ml-latest-small")
    assert "could not download" in message
    assert "/sets/ml-latest-small.zip" not in mirror.asked


def test_set_whose_archive_differs_from_its_md5_file_is_refused(mirror, tmp_path):
    mirror.serve("ml-latest-small.zip", zipped(FORMS["csv"]))
    mirror.serve("ml-latest-small.zip.md5", b"0" * 32)
    assert "0" * 32 in failed_download("ml-latest-small")
    assert "ml-latest-small.zip" not in files_in(tmp_path / "data")
