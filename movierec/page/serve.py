"""The page's processes: one address, and workers forked from one that has loaded the run.

A worker that dies is forked again; all end with the first process, however that ends.
"""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.process import BaseProcess

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from movierec.errors import InputError
from movierec.explorer.service import Service, service_of
from movierec.page.app import POLICY, make_app
from movierec.posters.metadata import Metadata, provider
from movierec.runs import Run

KEEP_ALIVE = 75  # seconds; shorter ones reset connections that a browser holds to be open
GRACE = 3  # seconds that answers under way have at the end
ENDING = 10.0  # seconds until a worker that does not end is killed
LOOK = 0.2  # seconds between two looks at the workers
SHORT = 1.0  # seconds; a worker that lives no longer than this is not forked again


def serve(
    run: Run,
    *,
    ip: str = "127.0.0.1",
    port: int = 8866,
    hosts: Sequence[str] = (),
    workers: int | None = None,
) -> None:
    """Serve the page until an interrupt (Ctrl-C) or SIGTERM; then nothing of it is left running.

    Args:
        run: what is shown.
        ip: address to listen on. Other than loopback, everybody who reaches it can use the page.
        port: port to listen on; 0 takes a free one.
        hosts: names under which the page may be asked for, beside `localhost` and addresses. With
            one, a proxy of this machine is believed in `X-Forwarded-For`.
        workers: processes that answer; None: one a core, eight at most. One where the system
            cannot fork.

    Raises:
        InputError: the address or the port cannot be had, or a number is out of range.
    """
    if not 0 <= port < 2**16:
        raise InputError(f"got port {port}; expected 0 to 65535, where 0 takes a free one")
    if workers is not None and workers < 1:
        raise InputError(f"got {workers} workers; expected one or more")
    doors = _doors(ip, port, workers or min(os.cpu_count() or 1, 8))
    service = service_of(run.recommender)
    shown = "localhost" if is_loopback(ip) else ip
    said = f"The page is at http://{shown}:{doors[0].getsockname()[1]}; Ctrl-C ends it."

    names = {"localhost", *(host.lower() for host in hosts)}
    work = partial(_work, service, names, not is_loopback(ip), bool(hosts))
    if hasattr(os, "fork"):
        _keep(work, doors, said)
    else:
        print(said, file=sys.stderr)
        work(doors[0])


def is_loopback(ip: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


def _doors(ip: str, port: int, count: int) -> list[socket.socket]:
    """A listening socket a worker, all of one address.

    Linux spreads connections evenly over them. On one socket the first to wake would take all that
    wait, and browsers keep theirs. Elsewhere it is one socket after all.
    """
    several = sys.platform == "linux"
    family = socket.AF_INET6 if (six := ":" in ip) else socket.AF_INET
    doors: list[socket.socket] = []
    try:
        for n in range(count if several else 1):
            address = doors[0].getsockname()[:2] if n else (ip, port)
            door = socket.create_server(
                address, family=family, backlog=1024, reuse_port=n > 0, dualstack_ipv6=six
            )
            if several:  # the first by now has the address, and shares it with no stranger
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # of its door a connection has that an answer's parts do not wait 40 ms for each other
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            doors.append(door)
    except OSError as error:
        raise InputError(
            f"port {port} of {ip} cannot be had ({error}); name another with --port or --ip"
        ) from error
    return doors * (1 if several else count)


class Patient(H11Protocol):
    """Waits `KEEP_ALIVE` for a whole head, not for ever: a byte of it begins no new time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def data_received(self, data: bytes) -> None:
        timer, self.timeout_keep_alive_task = self.timeout_keep_alive_task, None
        super().data_received(data)
        if timer and (self._unread() or self.conn.their_state is h11.IDLE):  # the head goes on
            self.timeout_keep_alive_task = timer
        elif timer:
            timer.cancel()
        if self._unread():  # a short rest of a question has come by now
            self.transport.pause_reading()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._unread():
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(GRACE, self.transport.close)

    def _unread(self) -> bool:
        """Whether the question was answered before all of it had come."""
        return self.conn.states == {h11.CLIENT: h11.SEND_BODY, h11.SERVER: h11.DONE}


def _work(
    service: Service, hosts: set[str], anywhere: bool, proxy: bool, door: socket.socket
) -> None:
    """Answer until SIGTERM, or until the first process is gone."""
    # here: threads and open files are nothing that a fork should inherit
    asked = provider()
    posters = Metadata(asked, service.rec.tables.movies) if asked else None
    if first := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=[first], daemon=True).start()
    config = uvicorn.Config(
        make_app(service._replace(posters=posters), hosts, anywhere),
        log_level="error",
        access_log=False,
        lifespan="off",
        http=Patient,  # on h11: httptools would keep a head of any length
        ws="none",
        server_header=False,
        proxy_headers=proxy,
        headers=[*POLICY.items()],
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=2**14,
        limit_concurrency=1000,
    )
    uvicorn.Server(config).run([door])


def _end_with(first: BaseProcess) -> None:
    first.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _keep(work: Callable[[socket.socket], None], doors: list[socket.socket], said: str) -> None:
    """Keep a worker alive at each door until a signal, and say so; then end them."""
    gc.collect()
    gc.freeze()  # what is there is shared: a collection that touched it would copy it
    processes = multiprocessing.get_context("fork")
    began: dict[BaseProcess, tuple[float, socket.socket]] = {}
    told: list[int] = []  # to end: an exception from a handler could be lost, or come twice

    def begin(door: socket.socket) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_DFL)
        if not told:  # before that
            work(door)

    def fork(door: socket.socket) -> None:
        worker = processes.Process(target=begin, args=[door], daemon=True)
        worker.start()
        began[worker] = time.monotonic(), door

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _: told.append(number))
    for door in doors:
        fork(door)
    print(said, file=sys.stderr, flush=True)
    fault = None
    while not told and not fault:
        time.sleep(LOOK)
        for worker in [one for one in began if not one.is_alive()]:
            since, door = began.pop(worker)
            if time.monotonic() - since < SHORT:
                fault = InputError("a worker of the page ended as soon as it began; see above why")
            else:
                fork(door)
    for worker in began:
        worker.terminate()
    until = time.monotonic() + ENDING
    for worker in began:
        worker.join(max(until - time.monotonic(), 0))
        worker.kill()  # where it has not ended
        worker.join()
    if fault:
        raise fault
