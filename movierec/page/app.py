"""The page's answers: files, JSON under `/api/v1/`, posters; and what it refuses.

It keeps nothing of who asks. A request from another site, for another host, too long, too slow or
too often is refused before it is read.

Reference:
    OWASP, Cross-Site Request Forgery Prevention Cheat Sheet (Fetch Metadata headers);
    W3C, Content Security Policy Level 3.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints
from urllib.parse import urlsplit

from pydantic.json_schema import models_json_schema
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from movierec import __version__
from movierec.errors import InputError
from movierec.explorer.service import QUESTIONS, Service, answer, picture

LONGEST_BODY = 2**18  # bytes of a question; 2,000 ratings take some 30,000
LONGEST_FILE = 2**22  # bytes of a question with a file
BODY_SECONDS = 5.0  # until a body must have come
A_SECOND, AT_ONCE = 20.0, 120.0  # requests of one client: in the long run, and at once
CLIENTS = 10_000  # whose requests are counted; of more, those who asked longest ago are forgotten
ASSETS = [Path(__file__).with_name("static"), Path(__file__).parents[1] / "explorer" / "static"]
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
TYPES |= {".json": "application/json", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that gets no answer.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def make_app(service: Service, hosts: set[str], anywhere: bool) -> Starlette:
    """The application.

    Args:
        service: what it answers from.
        hosts: names under which the page may be asked for, beside addresses.
        anywhere: whether it may be asked for under any address, not only a loopback one.
    """
    paths = [path for folder in ASSETS for path in sorted(folder.iterdir())]
    files = {path.name: Asset.of(path.read_bytes(), path.suffix) for path in paths}
    told_about = answer(service, "about", {}).model_dump_json(exclude_none=True)
    about = told_about.replace("<", "\\u003c").encode()  # no title ends a script
    page_itself = files["index.html"].content.replace(b">{}</script>", b">" + about + b"</script>")
    files["index.html"] = Asset.of(page_itself, ".html")
    api = openapi()
    allow = Bucket()

    async def page(request: Request) -> Response:
        return _file(request, files["index.html"])

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            raise Refused(404, "there is no such file")
        return _file(request, files[name])

    async def ask(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in QUESTIONS:
            raise Refused(404, f"there is no question of this name; see {request.base_url}api/")
        if request.method == "GET":
            content = b"{}"
        elif request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise Refused(415, "expected application/json")
        else:
            content = await _body(request, LONGEST_FILE if name == "read-file" else LONGEST_BODY)
        said = answer(service, name, content).model_dump_json(exclude_none=True).encode()
        if name == "map":  # large, and the same for all
            return _file(request, Asset.of(said, ".json"))
        return Response(said, media_type=TYPES[".json"])

    async def poster(request: Request) -> Response:
        found = picture(service, request.path_params["movie_id"])
        if found is None:
            raise Refused(404, "there is no poster of this film by now")
        return Response(found, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})

    async def described(request: Request) -> Response:
        return JSONResponse(api)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "data": service.rec.tables.name})

    routes = [
        Route("/", page),
        Route("/static/{name}", static),
        Route("/api/v1/posters/{movie_id:int}.jpg", poster),
        Route("/api/v1/{name}", ask, methods=["GET", "POST"]),
        Route("/api/openapi.json", described),
        Route("/health", health),
    ]

    async def told(request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, Refused) else 422
        return JSONResponse({"error": str(error)}, status)

    async def lost(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "there is no such address"}, error.status_code)  # type: ignore[attr-defined]

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "something went wrong here; it is in the log"}, 500)

    handlers: dict[Any, Any] = {Refused: told, InputError: told, 404: lost, 405: lost, 500: failed}
    app = Starlette(routes=routes, exception_handlers=handlers)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                pairs = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *pairs]
            await send(message)

        request = Request(scope)
        try:
            _check(request, hosts, anywhere)
            if not allow(request.client.host if request.client else ""):
                raise Refused(429, "too many requests; wait a few seconds")
        except Refused as refused:
            answered = JSONResponse({"error": str(refused)}, refused.status)
            return await answered(scope, receive, with_headers)
        return await app(scope, receive, with_headers)

    return guarded  # type: ignore[return-value]


class Bucket:
    """How often each client may ask: `AT_ONCE` at once, and `A_SECOND` a second on the whole."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __call__(self, client: str) -> bool:
        """Whether one more request of a client is answered."""
        now = self._clock()
        left, since = self._left.pop(client, (AT_ONCE, now))
        left = min(left + (now - since) * A_SECOND, AT_ONCE)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return left >= 1


def _check(request: Request, hosts: set[str], anywhere: bool) -> None:
    """Refuse what another site or another host has made."""
    asked = request.headers.get("host", "")
    name = urlsplit(f"//{asked}").hostname or ""
    try:
        own = anywhere or ipaddress.ip_address(name).is_loopback
    except ValueError:
        own = name in hosts
    headers = request.headers
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    follows_link = request.method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if not own:
        raise Refused(403, "this page is not asked for under this name; see --host")
    if origin is not None and urlsplit(origin).netloc.lower() != asked.lower():
        raise Refused(403, "this page answers to no other site")
    if site not in ("same-origin", "none") and not follows_link:
        raise Refused(403, "this page answers to no other site")


async def _body(request: Request, most: int) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                content += chunk
                if len(content) > most:
                    raise Refused(413, f"expected {most:,} bytes at most")
    except (TimeoutError, ClientDisconnect) as error:
        raise Refused(408, "the question took too long to come") from error
    return bytes(content)


class Asset(NamedTuple):
    """A file of the page: as it is, packed, its type and what tells it from others."""

    content: bytes
    packed: bytes
    kind: str
    tag: str

    @classmethod
    def of(cls, content: bytes, suffix: str) -> Asset:
        """With what is computed once."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        return cls(content, gzip.compress(content), TYPES[suffix], tag)


def _file(request: Request, file: Asset) -> Response:
    headers = {"ETag": file.tag, "Cache-Control": "no-cache"}  # asked for each time, sent once
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    headers["Vary"] = "Accept-Encoding"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.content, media_type=file.kind, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(file.packed, media_type=file.kind, headers=headers)


def openapi() -> dict[str, Any]:
    """The description of `/api/v1/`, from the models of the questions and answers."""
    kinds: dict[str, tuple[Any, Any]] = {
        name: (form, get_type_hints(function)["return"])
        for name, (form, function) in QUESTIONS.items()
    }
    asked = [(form, "validation") for form, _ in kinds.values()]
    told = [(form, "serialization") for _, form in kinds.values()]
    schemas, definitions = models_json_schema(
        [*asked, *told],  # type: ignore[list-item]
        ref_template="#/components/schemas/{model}",
    )
    fault = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}

    def content(schema: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema}}}

    paths = {}
    for name, (form, said) in kinds.items():
        described = (QUESTIONS[name][1].__doc__ or "").strip()
        paths[f"/api/v1/{name}"] = {
            "post": {
                "operationId": name,
                "summary": described,
                "requestBody": {"required": True} | content(schemas[form, "validation"]),
                "responses": {
                    "200": {"description": "the answer"} | content(schemas[said, "serialization"]),
                    "4XX": {"description": "what is wrong with the question"} | content(fault),
                },
            }
        }
    facts = {"title": "movierec", "version": __version__}
    components = {"schemas": definitions["$defs"]}
    return {"openapi": "3.1.0", "info": facts, "paths": paths, "components": components}
