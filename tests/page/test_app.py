"""The page's server: what a visitor gets, and what somebody who means harm does not.

What the page looks like and does in a browser is tested in `tests/page/browser`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

pytest.importorskip("voila", reason="the page needs the extra `app`")

from jupyter_client.session import utcnow
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError
from voila.tornado.handler import TornadoVoilaHandler
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from benchmarks.serving import Served, served
from benchmarks.soak import soak
from movierec.errors import InputError
from movierec.page.app import (
    AWAY,
    CONNECTIONS,
    LONGEST_BODY,
    LONGEST_MESSAGE,
    Doorman,
    Page,
    Places,
    Visit,
)
from movierec.page.forks import RUN_VARIABLE
from movierec.runs import Run

pytestmark = pytest.mark.long

NOBODY = "00000000-0000-4000-8000-000000000000"  # a kernel's name that no kernel has


@pytest.fixture(scope="module")
def page(small_best: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page of a small run, in a world where TensorFlow cannot be imported.

    When the tests are done it is asked whether all was well: no error of its own, no TensorFlow.
    """
    folder = tmp_path_factory.mktemp("without")
    (folder / "tensorflow.py").write_text("raise ImportError('not in this path')")
    path = os.pathsep.join([str(folder), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    with served(small_best.path, "--pool", "1", env=environment) as page:
        yield page
        said = page.said()
        assert "Traceback" not in said, said
        assert "not in this path" not in said


def ask(page: Served, path: str, method: str = "GET", body: bytes | None = None, **headers: str):
    """An answer, and its body."""
    place = urlsplit(page.url)
    with contextlib.closing(HTTPConnection(place.hostname, place.port, timeout=20)) as connection:
        connection.request(method, path, body, headers)
        answer: HTTPResponse = connection.getresponse()
        return answer, answer.read().decode("utf-8", errors="replace")


def visit(page: Served) -> tuple[str, str]:
    """Open the page: the kernel's name, and what was sent."""
    answer, text = ask(page, "/")
    assert answer.status == 200
    return re.search(r'"kernelId": "([^"]+)"', text)[1], text


def leave(page: Served, kernel: str) -> None:
    answer, _ = ask(page, f"/voila/api/shutdown/{kernel}", "POST", Origin=page.url)
    assert answer.status == 204


@pytest.fixture(scope="module")
def kernel(page: Served) -> Iterator[str]:
    """The kernel of a visitor who stays, whatever the tests do."""
    kernel, _ = visit(page)
    with connected(page, kernel):
        yield kernel


def message(kind: str, channel: str = "shell", **content: Any) -> dict[str, Any]:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "v"}
    return {
        "header": header | {"version": "5.3", "date": "2030-01-01T00:00:00Z"},
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": channel,
        "buffers": [],
    }


def binary(sent: dict[str, Any]) -> bytes:
    """The same in the form that browsers use, version 1 of Jupyter's websocket protocol."""
    parts = [sent["channel"].encode()]
    for name in ("header", "parent_header", "metadata", "content"):
        parts.append(json.dumps(sent[name]).encode())
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)


def connected(page: Served, kernel: str, *subprotocols: Any) -> ClientConnection:
    address = f"ws{page.url.removeprefix('http')}/api/kernels/{kernel}/channels"
    return connect(address, subprotocols=subprotocols or None, origin=page.url, max_size=None)


def kinds_until(socket: ClientConnection, last: str) -> list[str]:
    """The kinds of messages that come, up to one kind."""
    kinds: list[str] = []
    while last not in kinds:
        received = socket.recv(timeout=20)
        if isinstance(received, bytes):
            starts = [int.from_bytes(received[8 * i : 8 * i + 8], "little") for i in (2, 3)]
            kinds.append(json.loads(received[slice(*starts)])["msg_type"])
        else:
            kinds.append(json.loads(received)["header"]["msg_type"])
    return kinds


def listen_until_closed(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=30)


def is_well(page: Served, kernel: str) -> bool:
    """Whether a kernel still answers."""
    with connected(page, kernel) as socket:
        socket.send(json.dumps(message("kernel_info_request")))
        return "kernel_info_reply" in kinds_until(socket, "kernel_info_reply")


def test_visitor_gets_the_explorer_and_no_code(page):
    kernel, text = visit(page)
    leave(page, kernel)
    assert "application/vnd.jupyter.widget-view+json" in text  # what was shown: no error
    assert "load_once" not in text
    assert "import" not in re.sub(r"<script src.*", "", text)
    assert not re.findall(r"https?://", text)


def test_every_answer_closes_what_a_browser_leaves_open(page):
    for path in ("/", "/page/page.js", "/voila/static/voila.js", "/no-such"):
        answer, text = ask(page, path)
        if path == "/":
            leave(page, re.search(r'"kernelId": "([^"]+)"', text)[1])
        rules = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in rules
        assert "script-src 'self' blob:;" in rules  # neither inline nor eval
        assert "frame-ancestors 'none'" in rules
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Server"] is None


@pytest.mark.parametrize(
    "path",
    [
        *("/voila/tree", "/voila/files/app.ipynb", "/voila/render/app.ipynb", "/app.ipynb"),
        *("/api/kernels", "/api/kernelspecs", "/api/contents", "/api/sessions", "/api/terminals"),
        *("/voila/api/contents", "/voila/api/themes/", "/login", "/logout", "/static/", "/tree"),
        *("/voila/templates/lab/static/voila.js", f"/voila/query/{NOBODY}", "/metrics"),
        *("/page/", "/voila/static/", "/voila/labextensions/", "/page/../app.py"),
        *(
            "/page/%2e%2e/index.html.j2",
            "/page/..%2f..%2fdoctor.py",
            "/voila/static/..%2f..%2fapp.py",
        ),
        *("/voila/labextensions/..%2f..%2f..%2fetc%2fpasswd", "/page//etc/passwd", "/%00", "//x/"),
        *(f"/api/kernels/{NOBODY}", f"/api/kernels/{NOBODY}/channels"),
    ],
)
def test_there_is_no_other_address(page, path):
    answer, text = ask(page, path)
    assert answer.status in (400, 403, 404)
    assert len(text) < 40
    assert "Location" not in answer.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "POST"])
def test_other_methods_do_nothing(page, kernel, method):
    for path in ("/", f"/api/kernels/{kernel}", "/page/page.js"):
        assert ask(page, path, method)[0].status in (403, 405)
    assert ask(page, f"/api/kernels/{kernel}")[0].status == 200


@pytest.mark.parametrize("form", ["text", "v1.kernel.websocket.jupyter.org"])
def test_no_message_runs_code(page, kernel, form, tmp_path):
    """Neither as browsers send messages nor in the older form, on no channel."""
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').close()"
    content = {"code": code, "silent": True, "cursor_pos": 3, "user_expressions": {"x": code}}
    kinds = [f"{what}_request" for what in ("execute", "complete", "inspect", "debug", "history")]
    channels = ("shell", "control", "stdin", "iopub", "nowhere")
    sent = [message(kind, channel, **content) for kind in kinds for channel in channels]
    sent += [message("input_reply", "stdin", value=code), message("kernel_info_request")]
    with connected(page, kernel, *([form] if form != "text" else [])) as socket:
        for each in sent:
            socket.send(json.dumps(each) if form == "text" else binary(each))
        came = kinds_until(socket, "kernel_info_reply")
    assert not {"execute_input", "execute_result", "error", "stream"} & set(came)
    assert not {kind.replace("request", "reply") for kind in kinds} & set(came)
    assert not mark.exists()


def test_message_that_makes_no_sense_harms_nobody(page, kernel):
    garbage = ["", "{", "[]", "null", b"", b"\xff" * 40, "7", json.dumps({"channel": "shell"})]
    garbage.append(json.dumps(message("comm_msg", comm_id="no such", data={"method": "x"})))
    garbage.append(json.dumps(message("comm_open", comm_id="x", target_name="os", data={})))
    for sent in garbage:
        with connected(page, kernel) as socket, contextlib.suppress(ConnectionClosed):
            socket.send(sent)
    assert is_well(page, kernel)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Host": "evil.example"},  # a name that was made to lead here
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "8.8.8.8"},
    ],
)
def test_other_sites_reach_nothing(page, kernel, headers):
    for path in ("/", "/page/page.js", "/voila/static/voila.js", f"/api/kernels/{kernel}"):
        assert ask(page, path, **headers)[0].status == 403
    assert ask(page, f"/voila/api/shutdown/{kernel}", "POST", **headers)[0].status == 403
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} | headers
    assert ask(page, f"/api/kernels/{kernel}/channels", **upgrade)[0].status == 403
    assert is_well(page, kernel)


def test_link_from_another_site_can_be_followed(page):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer, text = ask(page, "/", **link, **{"Sec-Fetch-Dest": "document"})
    assert answer.status == 200
    leave(page, re.search(r'"kernelId": "([^"]+)"', text)[1])


def test_what_is_too_long_is_refused_and_others_go_on(page, kernel):
    with contextlib.suppress(ConnectionError):  # closed before all was sent
        answer, _ = ask(page, "/", "POST", b"x" * (LONGEST_BODY + 1))
        assert answer.status in (400, 413)
    with contextlib.suppress(ConnectionError):
        assert ask(page, "/", **{"X-Long": "x" * 20_000})[0].status in (400, 431)
    with contextlib.suppress(ConnectionError):
        assert ask(page, "/" + "x" * 20_000)[0].status in (400, 414)
    long = json.dumps(message("comm_msg", comm_id="x", data="x" * LONGEST_MESSAGE))
    with connected(page, kernel) as socket:
        with contextlib.suppress(ConnectionClosed):
            socket.send(long)
        with pytest.raises(ConnectionClosed):
            listen_until_closed(socket)
    assert is_well(page, kernel)


def test_one_kernel_has_few_connections(page, kernel):
    with contextlib.ExitStack() as sockets:
        for _ in range(CONNECTIONS - 1):  # beside that of `kernel`
            sockets.enter_context(connected(page, kernel))
        with pytest.raises(InvalidStatus) as refused:
            connected(page, kernel)
        assert refused.value.response.status_code == 429
    assert is_well(page, kernel)


def test_who_finds_no_place_is_told_and_who_leaves_makes_room(small_best):
    with served(small_best.path, "--visitors", "2", "--pool", "1") as page:
        kernels = [visit(page)[0] for _ in range(2)]
        until = time.monotonic() + 20
        while (full := ask(page, "/"))[0].status == 200 and time.monotonic() < until:
            kernels.append(re.search(r'"kernelId": "([^"]+)"', full[1])[1])
        assert full[0].status == 503
        assert full[0].headers["Retry-After"] == "30"
        assert "Every seat is taken" in full[1]
        assert 2 <= len(set(kernels)) == len(kernels) <= 3  # the one that was ready among them
        for kernel in kernels:
            leave(page, kernel)
        assert visit(page)[0] not in kernels


LONG_AGO = timedelta(seconds=2 * AWAY)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """The places with one visitor, whose kernel did nothing for long, and who is not connected."""
    places = Places(cull_idle_timeout=10 * AWAY, cull_connected=True)
    kernel = ServerKernelManager(kernel_name="python3", last_activity=utcnow() - LONG_AGO)
    kernel.execution_state = "idle"
    places._kernels["k"], places._kernel_connections["k"] = kernel, 0

    async def shutdown_kernel(kernel_id: str, now: bool = False) -> None:
        del places._kernels[kernel_id]

    monkeypatch.setattr(places, "shutdown_kernel", shutdown_kernel)
    return places


def test_kernel_that_waited_long_in_the_pool_is_not_ended_before_its_visitor_connects(places):
    asyncio.run(places.cull_kernel_if_idle("k"))
    assert "k" in places._kernels


def test_visitor_who_read_for_long_and_lost_the_connection_has_time_to_come_back(
    places, monkeypatch
):
    places._kernel_connections["k"] = 1
    asyncio.run(places.cull_kernel_if_idle("k"))
    places._kernel_connections["k"] = 0
    asyncio.run(places.cull_kernel_if_idle("k"))
    assert "k" in places._kernels
    later = utcnow() + timedelta(seconds=AWAY + 1)
    monkeypatch.setattr("movierec.page.app.utcnow", lambda: later)
    asyncio.run(places.cull_kernel_if_idle("k"))
    assert "k" not in places._kernels


def test_time_without_a_connection_counts_from_the_last_one(places, monkeypatch):
    asyncio.run(places.cull_kernel_if_idle("k"))
    places._kernel_connections["k"] = 1
    asyncio.run(places.cull_kernel_if_idle("k"))
    later = utcnow() + timedelta(seconds=AWAY + 1)
    monkeypatch.setattr("movierec.page.app.utcnow", lambda: later)
    places._kernel_connections["k"] = 0
    asyncio.run(places.cull_kernel_if_idle("k"))
    assert "k" in places._kernels


def test_kernel_that_is_handed_out_is_not_idle_from_before(places, monkeypatch):
    async def get_rendered_notebook(notebook_name: str) -> tuple[None, list[str], str]:
        return None, [], "k"

    monkeypatch.setattr(places, "get_rendered_notebook", get_rendered_notebook, raising=False)
    doorman = Doorman(places)
    asyncio.run(doorman.get_rendered_notebook("app.ipynb"))
    assert doorman.kernel_id == "k"
    assert utcnow() - places.get_kernel("k").last_activity < timedelta(seconds=5)


def test_page_that_never_gets_ready_is_given_up_and_its_place_is_free_again(places, monkeypatch):
    async def hang(handler: Visit) -> None:
        await handler.kernel_manager.start_kernel()
        await asyncio.Event().wait()

    async def start_kernel() -> str:
        return "k"

    monkeypatch.setattr(places, "start_kernel", start_kernel)
    monkeypatch.setattr(TornadoVoilaHandler, "get", hang)
    monkeypatch.setattr("movierec.page.app.LONGEST_ARRIVAL", 0.05)
    page = SimpleNamespace(arriving=0, room=2)
    visit = Visit.__new__(Visit)
    visit.application = SimpleNamespace(settings={"page": page, "kernel_manager": places})
    with pytest.raises(HTTPError) as refused:
        asyncio.run(asyncio.wait_for(visit.get(), 5))
    assert refused.value.status_code == 503
    assert page.arriving == 0
    assert "k" not in places._kernels


def test_visitor_who_sleeps_loses_the_place(small_best):
    with served(small_best.path, "--pool", "1", "--idle", "0.02") as page:
        kernel, _ = visit(page)
        with connected(page, kernel):
            until = time.monotonic() + 30
            while (there := ask(page, f"/api/kernels/{kernel}")[0].status) == 200:
                assert time.monotonic() < until
                time.sleep(0.2)
        assert there == 404


@pytest.fixture
def heard() -> Iterator[None]:
    """Interrupts are heard by new processes, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_server_ends(small_best, signal_number, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with served(small_best.path, "--pool", "1", env=environment) as page:
        visit(page)
        family = page.family()
        assert len(family) >= 4  # the server, the forkserver, its tracker, kernels
        page.process.send_signal(signal_number)
        _, alive = psutil.wait_procs(family, timeout=15)
        assert not alive
    if signal_number != signal.SIGKILL:
        assert page.process.returncode == 0
        assert not list(tmp_path.glob("voila_*"))  # where the kernels' sockets were


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "70000"], "0 to 65535"),
        (["--ip", "no.such.host.invalid"], "cannot be had"),
        (["--visitors", "0"], "at least one"),
        (["--idle", "0"], "above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(small_best, options, said):
    command = [sys.executable, "-m", "movierec", "app", "--run", str(small_best.path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_port_of_another_program_is_not_taken(page, small_best):
    command = [sys.executable, "-m", "movierec", "app", "--run", str(small_best.path)]
    port = str(urlsplit(page.url).port)
    done = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 cannot be had" in done.stderr


def test_open_address_comes_with_a_warning(small_best):
    with served(small_best.path, "--ip", "0.0.0.0", "--host", "films.example") as page:
        assert "everybody who can reach 0.0.0.0 can use the page" in page.said()
        port = urlsplit(page.url).port
        local = Served(f"http://127.0.0.1:{port}", page.process, page.log)
        for host, status in {"films.example": 200, "10.0.0.7": 200, "evil.example": 403}.items():
            assert ask(local, "/", Host=host)[0].status == status


@pytest.mark.parametrize(
    ("ip", "host", "answers"),
    [
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "[::1]", True),
        ("127.0.0.1", "LOCALHOST", True),
        ("127.0.0.1", "192.168.1.5", False),
        ("127.0.0.1", "", False),
        ("192.168.1.5", "192.168.1.5", True),
        ("192.168.1.5", "films.example", True),
        ("192.168.1.5", "evil.example", False),
    ],
)
def test_page_answers_to_its_own_names(ip, host, answers):
    page = Page(ip=ip)
    page.names = {"localhost", "films.example"}
    assert page.answers_to(host) is answers


def test_page_whose_first_kernels_do_not_start_says_why_and_ends(monkeypatch, capsys):
    async def fail() -> None:
        raise RuntimeError("no kernel starts")

    page, ended = Page(), []
    page.app, page.sockets = Application(), bind_sockets(0, "127.0.0.1")
    page.kernel_manager = SimpleNamespace(_pools={"app.ipynb": [fail()]})
    monkeypatch.setattr(Page, "stop", lambda page: ended.append(page))
    with pytest.raises(InputError, match="no kernel starts"):
        page.listen()
    assert ended == [page]
    assert "The page is at" not in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="visitors are forked on Linux alone")
def test_process_that_ends_while_it_loads_the_run_is_told_of():
    code = """
from movierec.page import forks
from movierec.errors import InputError
try:
    forks.prepare(None)  # without MOVIEREC_RUN
except InputError as error:
    print(error)
"""
    environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert "ended without a word" in done.stdout, done.stderr
    assert RUN_VARIABLE in done.stderr


RATED_ALL = """
import os
import types
import pandas as pd
from movierec import runs
rec = runs.load_run(os.environ["MOVIEREC_RUN"]).recommender
user = int(rec.tables.ratings["user_id"].iloc[0])
rated = rec.tables.ratings.query("user_id == @user")["movie_id"]
left = rec.tables.movies.query("movie_id not in @rated")["movie_id"]
rec.add_ratings(pd.DataFrame({"user_id": user, "movie_id": left, "rating": 3.0}))
assert rec.for_user(user, 1).empty
runs.load_once = lambda path: types.SimpleNamespace(recommender=rec)
from movierec.page import nursery
print(nursery.PROBLEM)
"""


LOADED = """
import sys
import threading
from ipywidgets.widgets import widget
from movierec.page import nursery
assert nursery.PROBLEM is None
print(sys.modules.keys() >= {"movierec.explorer.explorer", "jsonschema", "anywidget"})
print(len(widget._instances), threading.active_count())
"""


def test_visitors_share_the_loaded_explorer_and_no_widget_or_thread(small_best):
    """A widget of the nursery would belong to no visitor's kernel, and a fork has no threads."""
    environment = os.environ | {RUN_VARIABLE: str(small_best.path)}
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["True", "0", "1"], done.stderr


def test_run_whose_first_user_has_rated_every_film_is_served(small_best):
    done = subprocess.run(
        [sys.executable, "-c", RATED_ALL],
        env=os.environ | {RUN_VARIABLE: str(small_best.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "None\n", done.stderr


FORKED = """
import os, sys
from movierec.page.forks import OWN_MEMORY, _bound_memory
_bound_memory()
kept = bytearray(OWN_MEMORY // 2)
try:
    bytearray(OWN_MEMORY)
except MemoryError:
    print("refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="visitors are forked on Linux alone")
def test_memory_of_a_visitor_is_bounded():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stderr


def test_visitors_who_act_at_random_find_nothing_wrong(small_best):
    """The short form of `python -m benchmarks soak`."""
    account = soak(small_best.path, visitors=3, minutes=0.3, pause=0.2)
    assert account.wrong == []
    assert len(account.seconds) > 20
    settled = [memory for seconds, memory in account.memory if seconds > 6]
    assert max(settled) < 1.25 * settled[0]


def test_run_folder_that_is_damaged_is_refused(small_best, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(small_best.path, folder)
    (folder / "vectors.safetensors").write_bytes(b"nothing")
    command = [sys.executable, "-m", "movierec", "app", "--run", str(folder), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "vectors.safetensors is not as it was written" in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_settings_of_posters_are_told_before_anything_is_served(small_best):
    command = [sys.executable, "-m", "movierec", "app", "--run", str(small_best.path)]
    environment = os.environ | {"TMDB_TOKEN": "secret", "MOVIEREC_LANGUAGE": "klingon"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 2
    assert "expected one such as en-US or zh-CN" in done.stderr
    assert "secret" not in done.stderr
