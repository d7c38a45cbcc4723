"""The page: the explorer for visitors, served by Voilà with the settings of an open door.

Voilà executes the notebook `app.ipynb` in a kernel of the visitor's own (see `forks`) and sends
what it shows. A visitor can look at it and move its controls, and nothing else: of Voilà's
addresses only those that the page needs are kept, a kernel accepts the messages of widgets and no
code, and a request that another site made, or that asks for another host, is refused.

Reference:
    OWASP, Cross-Site Request Forgery Prevention Cheat Sheet (Fetch Metadata headers);
    W3C, Content Security Policy Level 3.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import shutil
import socket
import struct
import sys
import tempfile
import weakref
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_client.session import utcnow
from jupyter_core.utils import run_sync
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import httpserver, ioloop, netutil, web
from traitlets.config import Config
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler

from movierec.errors import InputError
from movierec.page import forks
from movierec.reports.notebooks import source_folder

FILES = Path(__file__).parent / "served"
AWAY = 120  # seconds without a connection after which a visitor is taken to have left
LONGEST_ARRIVAL = 60  # seconds until a page that does not get ready is given up
LONGEST_BODY = 64 * 2**10  # bytes of a request; nothing that the page sends has a body
LONGEST_MESSAGE = 2 * 2**20  # bytes of a widget's message; a profile that is loaded is the longest
MALFORMED = (AssertionError, AttributeError, LookupError, TypeError, ValueError, struct.error)
LONGEST_FOLDER = 36  # characters, so that the names of sockets below it have at most 103
CONNECTIONS = 4  # of one visitor's kernel; the page opens one, and anew after a break
WIDGETS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget"]
HEADERS = {
    # Scripts are files of this server, or (`blob:`) made by one of them, as anywidget does with a
    # component's; none can stand in the page. Styles are set by widgets, pictures come as data.
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' blob:",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def serve(
    run_dir: Path,
    *,
    ip: str = "127.0.0.1",
    port: int = 8866,
    hosts: Sequence[str] = (),
    visitors_at_once: int = 20,
    pool: int = 2,
    idle_minutes: float = 30,
) -> None:
    """Serve the page until an interrupt (Ctrl-C) or SIGTERM; then nothing of it is left running.

    Args:
        run_dir: a run folder that can be opened.
        ip: address to listen on. Other than loopback, everybody who reaches it can use the page.
        port: port to listen on; 0 takes a free one.
        hosts: names under which the page may be asked for, beside `localhost` and addresses.
        visitors_at_once: how many visitors have a place; further ones are asked to wait.
        pool: kernels that wait ready, so that the next visitors see films at once.
        idle_minutes: a visitor who does nothing for so long loses the place.

    Raises:
        InputError: the address or the port cannot be had, a number is out of range, or the first
            visitors' kernels do not start.
    """
    if visitors_at_once < 1 or pool < 1 or idle_minutes <= 0:
        raise InputError(
            f"got {visitors_at_once} visitors, a pool of {pool} and {idle_minutes:g} idle minutes; "
            "expected at least one of each, and a time above 0"
        )
    if not 0 <= port < 2**16:
        raise InputError(f"got port {port}; expected 0 to 65535, where 0 takes a free one")
    try:
        sockets = netutil.bind_sockets(port, ip)
    except OSError as error:
        raise InputError(
            f"port {port} of {ip} cannot be had ({error}); name another with --port or --ip"
        ) from error
    logging.getLogger("tornado").setLevel(logging.ERROR)  # what visitors get wrong is no news
    os.environ[forks.RUN_VARIABLE] = str(run_dir.absolute())
    # Two dozen processes share the cores, and a product with one vector gains nothing by threads;
    # each thread's memory would be kept apart.
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX")
    os.environ |= dict.fromkeys(threads, "1")
    page = Page(config=_settings(idle_minutes, pool), log_level="ERROR")
    page.sockets, page.names, page.room = sockets, {"localhost", *hosts}, visitors_at_once + pool
    page.ip, page.port = ip, sockets[0].getsockname()[1]
    if forks.can_fork():
        forks.prepare(page)
    page.initialize([str(source_folder() / "app.ipynb")])
    page.start()


def _settings(idle_minutes: float, pool: int) -> Config:
    """Voilà's and Jupyter's settings."""
    config = Config()
    config.Voila.open_browser = False
    config.Voila.config_file_paths = []  # a stray voila.json must not open what is closed here
    config.VoilaConfiguration.update(
        template="lab",  # where Voilà finds its static files; what is rendered is served/
        allow_template_override="NO",
        allow_theme_override="NO",
        show_tracebacks=False,
        preheat_kernel=True,
        default_pool_size=pool,
        extension_allowlist=WIDGETS,
        multi_kernel_manager_class=f"{__name__}.Places",
        http_keep_alive_timeout=3600,  # its heartbeat is an inline script, which the page forbids
    )
    if len(tempfile.gettempdir()) <= LONGEST_FOLDER:
        config.KernelManager.transport = "ipc"  # sockets in a folder of the server's own, no ports
    idle = max(round(idle_minutes * 60), 1)
    config.Places.update(cull_idle_timeout=idle, cull_interval=min(idle, 10), cull_connected=True)
    return config


class Places(AsyncMappingKernelManager):
    """The visitors' kernels, each ended when its visitor has left or sleeps."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._alone: weakref.WeakKeyDictionary[Any, datetime] = weakref.WeakKeyDictionary()

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """Voilà asks only of kernels that have left the pool."""
        kernel = self._kernels[kernel_id]
        if not kernel.trait_has_value("last_activity"):
            return  # it is about to start
        if self._kernel_connections.get(kernel_id, 0):
            self._alone.pop(kernel, None)
        # Since when, and not since it last did anything: who reads for long does nothing either.
        elif utcnow() - self._alone.setdefault(kernel, utcnow()) > timedelta(seconds=AWAY):
            await self.shutdown_kernel(kernel_id, now=True)
            return
        await super().cull_kernel_if_idle(kernel_id)


class Guarded(web.RequestHandler):
    """What every answer has: its headers, and that it goes to no other site and no other host."""

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def prepare(self, *args: Any, **kwargs: Any) -> Any:
        page: Page = self.settings["page"]
        if not page.answers_to(self.request.host_name) or not self._is_own():
            raise web.HTTPError(403)
        return super().prepare(*args, **kwargs)

    def _is_own(self) -> bool:
        """Whether the page itself makes this request, or a person who follows a link to it."""
        headers = self.request.headers
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != self.request.host.lower():
            return False
        follows_link = (
            self.request.method == "GET"
            and headers.get("Sec-Fetch-Mode") == "navigate"
            and headers.get("Sec-Fetch-Dest") == "document"
        )
        # Browsers of before 2023 do not send it; their requests have an Origin where it matters.
        site = headers.get("Sec-Fetch-Site", "none")
        return site in ("same-origin", "none") or follows_link

    def check_origin(self, origin: str | None = None) -> bool:
        return True  # `prepare` has looked, for pages and for websockets

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")


class NotFound(Guarded):
    """Every address that the page has no use for."""

    def prepare(self, *args: Any, **kwargs: Any) -> None:
        super().prepare()
        raise web.HTTPError(404)


class Doorman:
    """The places as Voilà sees them for one request, with the kernel that the request was given."""

    def __init__(self, places: Any) -> None:
        self._places = places
        self.kernel_id: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._places, name)

    async def get_rendered_notebook(self, *args: Any, **kwargs: Any) -> Any:
        """Hand out a kernel of the pool, whose time of idleness begins now."""
        given = await self._places.get_rendered_notebook(*args, **kwargs)
        self.kernel_id = given[2]
        if self.kernel_id in self._places:
            self._places.get_kernel(self.kernel_id).last_activity = utcnow()
        return given

    async def start_kernel(self, *args: Any, **kwargs: Any) -> str:
        """Start a kernel where the pool has none."""
        self.kernel_id = kernel_id = await self._places.start_kernel(*args, **kwargs)
        return kernel_id


class Visit(Guarded, TornadoVoilaHandler):
    """The page itself: a place for a visitor, if there is one."""

    @property
    def kernel_manager(self) -> Any:
        if not hasattr(self, "_doorman"):
            self._doorman = Doorman(super().kernel_manager)
        return self._doorman

    async def get(self, path: str | None = None) -> None:
        page: Page = self.settings["page"]
        places = self.settings["kernel_manager"]
        if len(places) + page.arriving >= page.room:
            self.set_status(503)
            self.set_header("Retry-After", "30")
            self.finish((FILES / "full.html").read_bytes())
            return
        page.arriving += 1
        try:
            # a renderer that fails without the pool says nothing, and is waited for without end
            async with asyncio.timeout(LONGEST_ARRIVAL):
                await super().get()  # type: ignore[misc]  # it is a coroutine
        except Exception as error:
            if self.kernel_manager.kernel_id in places:
                await places.shutdown_kernel(self.kernel_manager.kernel_id, now=True)
            if isinstance(error, TimeoutError):
                raise web.HTTPError(503) from error
            raise
        finally:
            page.arriving -= 1
            RequestInfoSocketHandler._cache.clear()  # kept for a door that the page does not have


class Look(Guarded, KernelHandler):
    """Whether a kernel is still there, for who knows its name."""

    SUPPORTED_METHODS = ("GET",)


class Widgets(Guarded, VoilaKernelWebsocketHandler):
    """The messages between a page's widgets and its kernel."""

    async def pre_get(self) -> None:
        if self.kernel_id not in self.kernel_manager:
            raise web.HTTPError(404)
        if self.kernel_manager._kernel_connections.get(self.kernel_id, 0) >= CONNECTIONS:
            raise web.HTTPError(429)
        await super().pre_get()

    def on_message(self, ws_message: str | bytes) -> None:
        try:
            super().on_message(ws_message)
        except MALFORMED:
            self.close(1007, "no message of Jupyter's")  # no page of ours has sent this


class Leave(Guarded, VoilaShutdownKernelHandler):
    """Ends the kernel of a page that was closed."""

    def check_xsrf_cookie(self) -> None:
        """Its name, which nobody else knows, is as good as a token; `prepare` saw the origin."""

    async def post(self, kernel_id: str) -> None:
        if kernel_id not in self.kernel_manager:
            raise web.HTTPError(404)
        await self.kernel_manager.shutdown_kernel(kernel_id, now=True)
        self.set_status(204)
        self.finish()


class Static(Guarded, web.StaticFileHandler):
    """The page's own script and style."""


class VoilaStatic(Guarded, MultiStaticFileHandler):
    """Voilà's script and styles."""


class Extensions(Guarded, FileFindHandler):
    """The widgets' scripts."""


class Page(Voila):
    """Voilà, with few addresses, and sockets that are bound already."""

    sockets: list[socket.socket]
    names: set[str]
    template_paths: Any
    room: int
    arriving = 0
    fault: Exception | None = None

    def answers_to(self, host: str) -> bool:
        """Whether a request may ask for this host; a name that somebody else made is a trick."""
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return host.lower() in self.names
        return address.is_loopback or not is_loopback(self.ip)

    def setup_template_dirs(self) -> None:
        super().setup_template_dirs()
        self.template_paths = [str(FILES), *self.template_paths]

    def init_settings(self) -> dict[str, Any]:
        return super().init_settings() | {
            "page": self,
            "default_handler_class": NotFound,
            "websocket_max_message_size": LONGEST_MESSAGE,
            "allow_remote_access": True,  # `Guarded` looks at the host
        }

    def init_handlers(self) -> list[Any]:
        kernel = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"
        notebook = {
            "notebook_path": os.path.relpath(self.notebook_path, self.root_dir),
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        extensions = {"path": self.labextensions_path}
        return [
            (r"/", Visit, notebook),
            (rf"/api/kernels/{kernel}", Look),
            (rf"/api/kernels/{kernel}/channels", Widgets),
            (rf"/voila/api/shutdown/{kernel}", Leave),
            (r"/voila/static/(.+)", VoilaStatic, {"paths": self.static_paths}),
            (r"/voila/labextensions/(.+)", Extensions, extensions),
            (r"/page/(.+)", Static, {"path": str(FILES / "static")}),
        ]

    def listen(self) -> None:
        server = httpserver.HTTPServer(
            self.app, max_body_size=LONGEST_BODY, max_header_size=16 * 2**10, body_timeout=10
        )
        server.add_sockets(self.sockets)
        self.ioloop = ioloop.IOLoop.current()
        self.ioloop.add_callback(self._announce)
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            pass
        finally:
            server.stop()
            self.stop()
        if self.fault is not None:
            raise InputError(
                f"the page cannot be made ready ({type(self.fault).__name__}: {self.fault}); "
                "`python -m movierec doctor` looks at the installation"
            ) from self.fault

    def stop(self) -> None:
        run_sync(self.kernel_manager.shutdown_all)(now=True)  # a visitor's kernel keeps nothing
        shutil.rmtree(self.connection_dir)

    async def _announce(self) -> None:
        """Say where the page is, once the first visitors will see films at once."""
        try:
            for places in list(self.kernel_manager._pools.values()):
                for place in list(places):
                    await (await place)["task"]
        except Exception as error:
            self.fault = error  # `listen` tells it and ends
            self.ioloop.stop()
            return
        shown = "localhost" if is_loopback(self.ip) else self.ip
        print(f"The page is at http://{shown}:{self.port}; Ctrl-C ends it.", file=sys.stderr)


def is_loopback(ip: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"
