"""The page's server: what it answers, what it refuses, and how it begins and ends."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import uvicorn
from commands import movierec

from benchmarks.serving import Served, served
from movierec.explorer.service import QUESTIONS, service_of
from movierec.page.app import (
    A_SECOND,
    AT_ONCE,
    LONGEST_BODIES,
    LONGEST_BODY,
    LONGEST_FILE,
    Bucket,
    make_app,
    openapi,
)
from movierec.page.serve import GRACE, SHORT, Patient
from movierec.posters.films import Details
from movierec.runs import Run

JSON = {"Content-Type": "application/json"}


def asked(
    site: Served,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    method: str | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (in small letters) and body of an answer."""
    address = urlsplit(site.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    content = json.dumps(body) if isinstance(body, dict) else body
    told = (JSON if body is not None else {}) | (headers or {})
    connection.request(method or ("GET" if body is None else "POST"), path, content, told)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    content = answer.read()
    connection.close()
    return answer.status, found, content


@pytest.fixture(scope="module", autouse=True)
def half(site: Served) -> Iterator[socket.socket]:
    """A connection with half a question, asked before all others."""
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as door:
        head = f"POST /api/v1/find HTTP/1.1\r\nHost: {address.netloc}\r\n"
        rest = "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        door.sendall(f"{head}{rest}".encode())
        yield door


def test_the_page_and_its_files_come_with_a_strict_policy(site: Served):
    for path, kind in {
        "/": "text/html",
        "/static/explorer.js": "text/javascript",
        "/static/explorer.css": "text/css",
        "/static/words.json": "application/json",
    }.items():
        status, headers, body = asked(site, path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not [word for word in ("unsafe", "blob:", "data:", "*") if word in policy]
        assert "server" not in headers
        status, _, empty = asked(site, path, headers={"If-None-Match": headers["etag"]})
        assert (status, empty) == (304, b"")
        _, packed, small = asked(site, path, headers={"Accept-Encoding": "gzip"})
        assert packed["content-encoding"] == "gzip"
        assert gzip.decompress(small) == body


def test_who_has_told_nothing_finds_the_first_films_in_the_page(site: Served):
    _, _, page = asked(site, "/")
    [start] = re.findall('id="start">(.*?)</script>', page.decode())
    _, _, films = asked(site, "/api/v1/for-new-user", json.loads(start)["asked"])
    assert json.loads(start)["first"] == json.loads(films)


def test_other_programs_have_lists_and_a_description_of_all_questions(site: Served):
    question = {"ratings": {"1": 5}, "gender": "F", "k": 3}
    status, _, body = asked(site, "/api/v1/for-new-user", question)
    assert status == 200
    film = json.loads(body)["films"][0]
    assert {"movie_id", "title", "year", "genres", "predicted", "std", "chance", "why"} <= set(film)
    status, _, body = asked(site, "/api/openapi.json")
    told = json.loads(body)
    assert set(told["paths"]) == {f"/api/v1/{name}" for name in QUESTIONS}
    assert told == json.loads(json.dumps(openapi()))
    named = set()

    def references(part: Any) -> None:
        if isinstance(part, dict):
            named.update([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
            part = list(part.values())
        if isinstance(part, list):
            for one in part:
                references(one)

    references(told)
    schemas = {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}
    assert named
    assert named <= schemas


def test_the_map_is_packed_and_health_is_told(site: Served):
    _, headers, body = asked(site, "/api/v1/map", {}, {"Accept-Encoding": "gzip"})
    assert headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(body))["movie_ids"]
    status, _, body = asked(site, "/health")
    assert (status, json.loads(body)["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/nowhere", None, {}, 404),
        ("/static/", None, {}, 404),
        ("/static/..%2fapp.py", None, {}, 404),
        ("/static/%2e%2e/app.py", None, {}, 404),
        ("/api/v1/nothing", {}, {}, 404),
        ("/api/v1/posters/1.jpg", None, {}, 404),
        ("/api/v1/posters/x.jpg", None, {}, 404),
        (f"/api/v1/posters/{'9' * 5000}.jpg", None, {}, 404),
        ("/api/v1/find", "{", {}, 422),
        ("/api/v1/find", b"\xff\xfe", {}, 422),
        ("/api/v1/find", "[" * 20_000, {}, 422),
        ("/api/v1/find", {"text": "x", "more": 1}, {}, 422),
        ("/api/v1/for-user", {"user_id": 99999}, {}, 422),
        ("/api/v1/find", {"text": "x"}, {"Content-Type": "text/plain"}, 415),
        ("/api/v1/find", b" " * (LONGEST_BODY + 1), {}, 413),
        ("/api/v1/about", {}, {"Origin": "https://example.org"}, 403),
        ("/api/v1/about", {}, {"Origin": "null"}, 403),
        ("/api/v1/about", {}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("/api/v1/about", None, {"Sec-Fetch-Site": "same-site"}, 403),
        ("/", None, {"Host": "films.example"}, 403),
        ("/", None, {"Host": "10.1.2.3"}, 403),
        ("/", None, {"Host": ""}, 403),
        ("/", None, {"Host": "[::1"}, 400),
        ("/api/v1/about", {}, {"Origin": "http://["}, 400),
    ],
)
def test_what_is_refused_is_told_and_no_more(site: Served, path, body, headers, status):
    got, told, content = asked(site, path, body, headers)
    assert got == status
    assert list(json.loads(content)) == ["error"]
    assert b"Traceback" not in content
    assert "content-security-policy" in told


def test_a_link_from_another_site_may_be_followed(site: Served):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert asked(site, "/", headers=link)[0] == 200
    for path in ("/", "/health", "/api/openapi.json"):
        assert asked(site, path, method="DELETE")[0] == 405


def test_a_head_of_any_length_is_not_kept(site: Served):
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as door:
        door.sendall(f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nX: ".encode() + b"x" * 2**17)
        assert b" 400 " in door.recv(4096)


def test_the_parts_of_an_answer_do_not_wait_for_each_other(site: Served):
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
    seconds = []
    for _ in range(60):
        began = time.perf_counter()
        connection.request("POST", "/api/v1/about", b"{}", JSON)
        connection.getresponse().read()
        seconds.append(time.perf_counter() - began)
    connection.close()
    assert sorted(seconds)[30] < 0.03  # 0.04 each, where a client's delayed ACK is waited for


def test_who_asks_too_often_waits_and_others_do_not():
    now = [0.0]
    bucket = Bucket(lambda: now[0])
    assert all(bucket("a") for _ in range(int(AT_ONCE)))
    assert not bucket("a")
    assert bucket("b")
    now[0] = 1.0
    assert [bucket("a") for _ in range(21)] == [True] * 20 + [False]


def test_who_has_taken_more_time_than_they_had_waits_until_they_have_some():
    now = [0.0]
    bucket = Bucket(lambda: now[0])
    bucket.take("a", AT_ONCE + A_SECOND)
    assert bucket.left("a") == -A_SECOND
    assert not bucket("a")
    now[0] = 2.0
    assert [bucket("a") for _ in range(21)] == [True] * 20 + [False]


def test_what_one_client_asks_at_once_ends_when_it_has_taken_its_time(small_best, monkeypatch):
    """A history that takes long: of many that have come at once, the later are refused."""
    monkeypatch.setattr("movierec.page.app.AT_ONCE", 10.0)
    service = service_of(small_best.recommender)
    app = make_app(service, {"localhost"}, True)
    lines = "".join(f"{n}{chr(0xFDFA) * 9},1999,5\n" for n in range(3_000))
    body = json.dumps({"text": "title,year,stars\n" + lines}).encode()
    found = [told(app, "/api/v1/read-file", body=body)[0]["status"] for _ in range(9)]
    assert found[0] == 200
    assert found[-1] == 429


def test_bodies_under_way_have_a_common_length(small_best, monkeypatch):
    monkeypatch.setattr("movierec.page.app.LONGEST_BODIES", 1000)
    app = make_app(service_of(small_best.recommender), {"localhost"}, True)
    assert told(app, "/api/v1/find", body=b" " * 1001)[0]["status"] == 503
    assert told(app, "/api/v1/find", body=b'{"text": "a"}')[0]["status"] == 200


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/map", "/health"])
def test_a_question_that_is_answered_before_it_is_read_is_not_read_on(site: Served, path):
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as door:
        head = f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        door.sendall(f"{head}Content-Length: 10000000000\r\n\r\n".encode())
        assert door.recv(4096).startswith(b"HTTP/1.1 ")
        sent, began = 0, time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - began < 3 * GRACE:
                sent += door.send(b"x" * 2**16)
        assert time.monotonic() - began < 2 * GRACE
        assert sent < 2**24  # what the system keeps of it


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this machine has one address")
def test_unfinished_bodies_of_one_client_leave_room_for_others(small_best: Run):
    with served(small_best.path, "--workers", "1") as site, contextlib.ExitStack() as held:
        address = urlsplit(site.url)
        for _ in range(LONGEST_BODIES // LONGEST_FILE + 1):
            door = socket.create_connection((address.hostname, address.port), timeout=20)
            held.enter_context(door)
            head = f"POST /api/v1/read-file HTTP/1.1\r\nHost: {address.netloc}\r\n".encode()
            length = f"Content-Type: application/json\r\nContent-Length: {LONGEST_FILE}\r\n\r\n"
            with contextlib.suppress(ConnectionError):  # refused by now
                door.sendall(head + length.encode() + b" " * (LONGEST_FILE - 1))
        for _ in range(8):  # what the system keeps of them is read by and by
            time.sleep(0.2)
            other = http.client.HTTPConnection(
                address.netloc, timeout=20, source_address=("127.0.0.2", 0)
            )
            other.request("POST", "/api/v1/find", json.dumps({"text": "a"}) + " " * 999, JSON)
            assert other.getresponse().status == 200
            other.close()


def question(site: Served, path: str) -> bytes:
    """The head of a question of two bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\nContent-Length: 2\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode()


def status_of_next(door: socket.socket) -> int:
    answer = http.client.HTTPResponse(door)
    answer.begin()
    assert answer.read()
    return answer.status


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/api/v1/map", 200)])
def test_a_body_that_comes_after_its_answer_ends_no_connection(site: Served, path, status):
    address = urlsplit(site.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as door:
        for _ in range(3):
            door.sendall(question(site, path))
            assert status_of_next(door) == status
            door.sendall(b"{}")


def test_of_two_questions_in_one_go_the_second_may_end_later(site: Served):
    address, asking = urlsplit(site.url), question(site, "/api/v1/about")
    with socket.create_connection((address.hostname, address.port), timeout=20) as door:
        door.sendall(asking + b"{}" + asking)
        assert status_of_next(door) == 200
        door.sendall(b"{}")
        assert status_of_next(door) == 200


def test_only_with_a_proxy_s_name_is_believed_who_somebody_says_they_are(small_best: Run):
    for options, expected in (((), 429), (("--host", "films.example"), 200)):
        with served(small_best.path, "--workers", "1", *options) as site:
            found = [
                asked(site, "/health", headers={"X-Forwarded-For": f"10.0.0.{n}"})[0]
                for n in range(int(AT_ONCE) + 60)
            ]
            assert found[-1] == expected


def test_counts_of_clients_do_not_grow_without_end(monkeypatch):
    monkeypatch.setattr("movierec.page.app.CLIENTS", 10)
    bucket = Bucket()
    for n in range(100):
        assert bucket(str(n))
    assert len(bucket._left) == 10


def test_a_worker_that_is_killed_is_replaced_and_all_end_with_sigterm(small_best: Run):
    with served(small_best.path, "--workers", "2") as site:
        first = site.process.children()
        assert len(first) == 2
        time.sleep(SHORT + 0.1)  # one that ends sooner is not replaced
        os.kill(first[0].pid, signal.SIGKILL)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            family = site.family()
            if first[0] not in family and len(family) == 3:
                break
            time.sleep(0.05)
        assert first[0] not in family
        assert len(family) == 3
        assert all(asked(site, "/health")[0] == 200 for _ in range(4))
        site.process.terminate()
        assert site.process.wait(15) == 0
        assert not [one for one in family if one.is_running() and one.status() != "zombie"]
        assert "Traceback" not in site.said()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one socket is shared")
def test_connections_that_come_at_once_are_spread_over_the_workers(small_best: Run):
    with served(small_best.path, "--workers", "2") as site:
        address = urlsplit(site.url)
        own = [socket.create_connection((address.hostname, address.port)) for _ in range(60)]
        for one in own:  # answered: it is somebody's by then
            one.sendall(f"GET /health HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        held = [
            sum(one.status == "ESTABLISHED" for one in worker.net_connections())
            for worker in site.process.children()
        ]
        for one in own:
            one.close()
    assert sum(held) == 60
    assert min(held) >= 12  # fewer: once in a million runs


def test_workers_end_when_the_first_process_is_killed(small_best: Run):
    with served(small_best.path, "--workers", "2") as site:
        workers = site.process.children()
        site.process.kill()
        site.process.wait(10)
        gone, alive = psutil.wait_procs(workers, timeout=15)
        assert not alive


@pytest.mark.parametrize("port", [None, 70000, -1])
def test_a_port_that_cannot_be_had_is_told(small_best: Run, site: Served, tmp_path, port):
    port = urlsplit(site.url).port if port is None else port
    done = movierec(tmp_path, "app", "--run", small_best.path, f"--port={port}")
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


def told(app: Any, path: str, host: str = "localhost", body: bytes = b"") -> list[dict[str, Any]]:
    """What an application sends, in this process."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    method = "POST" if body else "GET"
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "scheme": "http"}
    headers = [(b"host", host.encode()), (b"content-type", JSON["Content-Type"].encode())]
    scope |= {"headers": headers, "client": ("a", 1)}
    asyncio.run(app(scope, receive, send))
    return sent


def test_a_poster_comes_from_the_page_s_own_address_and_nothing_waits_for_it(small_best: Run):
    class Slow:
        attribution, language = "by somebody", "en-US"

        def known(self, movie_id: int) -> Details | None:
            return Details(None, None, b"\xff\xd8\xff") if movie_id == 7 else None

    app = make_app(service_of(small_best.recommender, Slow()), {"localhost"}, False)
    began = time.monotonic()
    start, body = told(app, "/api/v1/posters/7.jpg")
    assert told(app, "/api/v1/posters/8.jpg")[0]["status"] == 404
    assert time.monotonic() - began < 2
    assert (start["status"], body["body"]) == (200, b"\xff\xd8\xff")
    assert (b"content-type", b"image/jpeg") in start["headers"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("192.168.0.9:80", 200), ("[fe80::1]", 200), ("films.example", 403)],
)
def test_under_any_address_is_not_under_any_name(small_best: Run, host: str, status: int):
    app = make_app(service_of(small_best.recommender), {"localhost"}, True)
    start = told(app, "/api/v1/about", host)[0]
    assert start["status"] == status
    assert ((b"cache-control", b"no-store") in start["headers"]) == (status == 200)


@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_head_that_does_not_end_is_not_waited_for_without_end(small_best: Run, before: bytes):
    app = make_app(service_of(small_best.recommender), {"localhost"}, False)
    config = uvicorn.Config(
        app, http=Patient, lifespan="off", timeout_keep_alive=1, log_config=None
    )
    server = uvicorn.Server(config)

    async def trickle() -> float:
        door = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[door]))
        reader, writer = await asyncio.open_connection(*door.getsockname())
        writer.write(before)
        if before:
            await reader.readuntil(b"}")
        began, end = time.monotonic(), asyncio.create_task(reader.read())
        while not end.done() and time.monotonic() - began < 5:
            writer.write(b"G")
            await asyncio.sleep(0.2)
        took = time.monotonic() - began
        writer.transport.abort()
        await asyncio.wait([end])
        _ = end.cancelled() or end.exception()  # a reset ends it too
        server.should_exit = True
        await serving
        return took

    assert 0.5 < asyncio.run(trickle()) < 3


def test_half_a_question_is_not_waited_for_without_end(half: socket.socket):
    assert b"408" in half.recv(4096)  # after BODY_SECONDS, most of which have gone
