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
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic.json_schema import models_json_schema
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from movierec import __version__
from movierec.errors import InputError
from movierec.explorer.questions import ForNewUser
from movierec.explorer.service import FORMS, QUESTIONS, Service, answer, for_new_user, picture

LONGEST_BODY = 2**18  # bytes of a question; 2,000 ratings take some 30,000
LONGEST_FILE = 2**22  # bytes of a question with a file
LONGEST_BODIES = 2**26  # bytes of all questions that are coming to a worker
BODY_SECONDS = 5.0  # until a body must have come
A_SECOND, AT_ONCE = 20.0, 120.0  # requests of one client: in the long run, and at once
WORK = 5  # times what it may ask in them, for seconds of the processor that answers have taken
CLIENTS = 10_000  # whose requests are counted; of more, those who asked longest ago are forgotten
PAGE = Path(__file__).with_name("index.html")
STATIC = [PAGE.with_name("static"), PAGE.parents[1] / "explorer" / "static"]
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
TYPES |= {".json": "application/json", ".svg": "image/svg+xml"}
FIRST = ForNewUser(ask=3, seed=0)  # what who has told nothing asks
TOO_OFTEN = "too many requests, or such as take long; wait a few seconds"
POLICY = {  # headers of all answers
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def make_app(service: Service, hosts: set[str], anywhere: bool) -> ASGIApp:
    """The application.

    Args:
        service: what it answers from.
        hosts: names under which the page may be asked for, beside addresses.
        anywhere: whether it may be asked for under any address, not only a loopback one.
    """

    async def ask(request: Request) -> Response:
        name, client = request.path_params["name"], _client(request)
        if name not in QUESTIONS:
            raise HTTPException(404, "there is no question of this name; see /api/openapi.json")
        if request.method in ("GET", "HEAD"):
            content = b"{}"
        elif request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise HTTPException(415, "expected application/json")
        else:
            most = LONGEST_FILE if name == "read-file" else LONGEST_BODY
            content = await _body(request, most, allow)
        began = time.thread_time()
        try:
            told = answer(service, name, content).model_dump_json(exclude_none=True)
        finally:
            allow.take(client, (time.thread_time() - began) * A_SECOND * WORK)
        return Response(told, media_type=TYPES[".json"], headers={"Cache-Control": "no-store"})

    async def poster(request: Request) -> Response:
        name = request.path_params["movie_id"]
        found = picture(service, int(name)) if re.fullmatch("[0-9]{1,9}", name) else None
        if found is None:
            raise HTTPException(404, "there is no poster of this film by now")
        return Response(found, media_type="image/jpeg", headers={"Cache-Control": "max-age=86400"})

    files = [path for folder in STATIC for path in folder.iterdir()]
    start = {
        "about": answer(service, "about", {}).model_dump(exclude_none=True),
        "words": json.loads((STATIC[1] / "words.json").read_bytes()),
        "asked": FIRST.model_dump(),
        "first": for_new_user(service, FIRST).model_dump(exclude_none=True),
    }
    told = json.dumps(start, ensure_ascii=False, allow_nan=False)
    told = told.replace("<", "\\u003c")  # no title ends a script
    html = PAGE.read_text("utf-8").replace(">{}</script>", f">{told}</script>").encode()
    drawn = service.map.model_dump_json().encode()
    health = {"status": "ok", "data": service.rec.tables.name}
    routes = [
        Route("/", _file(html, ".html")),
        *(Route(f"/static/{path.name}", _file(path.read_bytes(), path.suffix)) for path in files),
        Route("/api/v1/map", _file(drawn, ".json"), methods=["GET", "POST"]),
        Route("/api/v1/posters/{movie_id}.jpg", poster),
        Route("/api/v1/{name}", ask, methods=["GET", "POST"]),
        Route("/api/openapi.json", _file(json.dumps(openapi()).encode(), ".json")),
        Route("/health", _file(json.dumps(health).encode(), ".json")),
    ]
    handlers: dict[Any, Any] = dict.fromkeys((HTTPException, InputError, 500), _refused)
    app, allow = Starlette(routes=routes, exception_handlers=handlers), Bucket()
    app.state.coming = 0  # bytes of questions

    async def door(scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        answered: ASGIApp = app
        try:  # who may not ask is refused before anything is read
            _check(request, hosts, anywhere)
            if not allow(_client(request)):
                raise HTTPException(429, TOO_OFTEN)
        except HTTPException as error:
            answered = await _refused(request, error)
        await answered(scope, receive, send)

    return door


async def _refused(request: Request, error: Exception) -> Response:
    status, why = 500, "something went wrong here; it is in the log"
    if isinstance(error, HTTPException):
        status, why = error.status_code, error.detail
    elif isinstance(error, InputError):
        status, why = 422, str(error)
    return JSONResponse({"error": why}, status)


class Bucket:
    """How often each client may ask: `AT_ONCE` at once, and `A_SECOND` a second on the whole."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __call__(self, client: str) -> bool:
        """Whether one more request of a client is answered."""
        if enough := self.left(client) >= 1:
            self.take(client, 1)
        return enough

    def left(self, client: str) -> float:
        """What a client may ask at once by now; below 0 where answers took longer than it had."""
        now = self._clock()
        left, since = self._left.pop(client, (AT_ONCE, now))
        self._left[client] = min(left + (now - since) * A_SECOND, AT_ONCE), now
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return self._left[client][0]

    def take(self, client: str, cost: float) -> None:
        """Count requests of a client, or what is worth as many."""
        self._left[client] = self.left(client) - cost, self._left[client][1]


def _check(request: Request, hosts: set[str], anywhere: bool) -> None:
    """Refuse what another site or another host has made."""
    headers = request.headers
    asked, origin = headers.get("host", ""), headers.get("origin")
    try:
        name = urlsplit(f"//{asked}").hostname or ""
        other = origin is not None and urlsplit(origin).netloc.lower() != asked.lower()
    except ValueError as error:  # half a bracket, say
        raise HTTPException(400, "the host or the origin is no address") from error
    try:
        address = ipaddress.ip_address(name)  # a name could be another site's: DNS rebinding
        own = anywhere or address.is_loopback
    except ValueError:
        own = name in hosts
    site = headers.get("sec-fetch-site", "none")
    follows_link = request.method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if not own:
        raise HTTPException(403, "this page is not asked for under this name; see --host")
    if other or (site not in ("same-origin", "none") and not follows_link):
        raise HTTPException(403, "this page answers to no other site")


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


async def _body(request: Request, most: int, allow: Bucket) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                content += chunk
                request.app.state.coming += len(chunk)
                if request.app.state.coming > LONGEST_BODIES:
                    raise HTTPException(503, "too many long questions at once; ask again")
                if len(content) > most:
                    raise HTTPException(413, f"expected {most:,} bytes at most")
                allow.take(_client(request), len(chunk) / LONGEST_BODY)  # nobody fills it alone
                if allow.left(_client(request)) < 0:  # others of its questions took what it had
                    raise HTTPException(429, TOO_OFTEN)
    except (TimeoutError, ClientDisconnect) as error:
        raise HTTPException(408, "the question took too long to come") from error
    finally:
        request.app.state.coming -= len(content)
    return bytes(content)


def _file(content: bytes, suffix: str) -> Callable[[Request], Awaitable[Response]]:
    """What answers with a file: packed once, and not sent again to who has it."""
    packed, kind = gzip.compress(content), TYPES[suffix]
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    async def respond(request: Request) -> Response:
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(content, media_type=kind, headers=headers)
        return Response(packed, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})

    return respond


def openapi() -> dict[str, Any]:
    """The description of `/api/v1/`, from the models of the questions and answers."""
    kinds = {name: (form["asked"], form["return"]) for name, form in FORMS.items()}
    schemas, definitions = models_json_schema(
        [(form, "validation") for form, _ in kinds.values()]
        + [(form, "serialization") for _, form in kinds.values()],
        ref_template="#/components/schemas/{model}",
    )
    fault = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}

    def content(schema: Any, **more: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema}}} | more

    paths = {}
    for name, (form, said) in kinds.items():
        answers = {
            "200": content(schemas[said, "serialization"], description="the answer"),
            "4XX": content(fault, description="what is wrong with the question"),
        }
        described = {"operationId": name, "summary": QUESTIONS[name].__doc__, "responses": answers}
        asked = content(schemas[form, "validation"], required=True)
        paths[f"/api/v1/{name}"] = {"post": described | {"requestBody": asked}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "movierec", "version": __version__},
        "paths": paths,
        "components": {"schemas": definitions["$defs"]},
    }
