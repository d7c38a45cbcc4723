"""Visitors who act at random for a while, as their pages would; the server's work and memory.

All of them are one process of plain sockets, which takes a small part of what the server does.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.measure import Row
from benchmarks.serving import Served, served

PATIENCE = 60.0  # seconds for an answer
TYPED = ("star", "the", "love", "1995", "zzz", "Amélie", "<b>", "king")
MOST_TOLD = 60  # stars of a visitor, who then begins anew


@dataclass
class Account:
    """What a soak saw.

    Attributes:
        stars: seconds until the list that came of a star, of each.
        seconds: of each action.
        wrong: what went wrong.
        memory: after so many seconds and actions, MiB of the server and all its processes, see
            `memory`, and the machine's load.
        server: seconds of the processor that each process of the server took.
        visitors: what the visitors took themselves.
    """

    stars: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, int, float, float, float]] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    visitors: float = 0.0

    def row(self) -> Row:
        """What a table has of it; needs a star at least."""
        seconds, stars = sorted(self.seconds), sorted(self.stars)
        return {
            "actions": len(seconds),
            "median": seconds[len(seconds) // 2],
            "p95": seconds[int(0.95 * len(seconds))],
            "star": stars[int(0.95 * len(stars))],
            "cpu": 1000 * sum(self.server) / len(seconds),
            "own": 1000 * self.visitors / len(seconds),
            "first": self.memory[1][2],
            "last": self.memory[-1][2],
            "wrong": len(self.wrong),
        }


class Visitor:
    """A page without a browser: a connection, what was told, and the next question."""

    def __init__(self, site: Served, seed: int) -> None:
        self._address = urlsplit(site.url)
        self._client = f"10.0.{seed // 250}.{seed % 250 + 1}"  # each is somebody of their own
        self.random, self.told = random.Random(seed), dict[str, float]()
        self.about: Any = None
        self.list: Any = None

    async def come(self) -> None:
        address = self._address
        self._read, self._write = await asyncio.open_connection(address.hostname, address.port)
        self.about = await self.ask("about", {})
        self.list = await self.ask("for-new-user", {"ask": 3})

    async def ask(self, name: str, question: dict[str, Any]) -> Any:
        content = json.dumps(question).encode()
        head = (
            f"POST /api/v1/{name} HTTP/1.1\r\nHost: {self._address.netloc}\r\n"
            f"Content-Type: application/json\r\nX-Forwarded-For: {self._client}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        self._write.write(head.encode() + content)
        async with asyncio.timeout(PATIENCE):
            answer = (await self._read.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(answer.split("content-length: ")[1].split("\r\n")[0])
            said = await self._read.readexactly(length)
        if not answer.startswith("http/1.1 200"):
            raise RuntimeError(f"{name}: {answer.splitlines()[0]} {said[:300]!r}")
        return json.loads(said)

    async def act(self) -> bool:
        """What somebody does next: mostly, give stars. Whether it was that."""
        films = self.list["ask"] or self.list["films"]
        film = self.random.choice(films or [{"movie_id": 1}])["movie_id"]
        done = self.random.choice(["star"] * 6 + ["film", "find", "tune", "together"])
        match done:
            case "star":
                self.told[str(film)] = self.random.choice(self.about["stars"])
                self.list = await self.ask("for-new-user", {"ratings": self.told, "ask": 3})
            case "film":
                await self.ask("explain", {"ratings": self.told, "movie_id": film})
                await self.ask("similar", {"movie_id": film, "k": 6})
            case "find":
                await self.ask("find", {"text": self.random.choice(TYPED)})
            case "tune":
                genres = [self.random.choice(self.about["genres"])]
                settings = {"genres": genres, "variety": self.random.random()}
                await self.ask("for-new-user", {"ratings": self.told, "ask": 3} | settings)
            case "together":
                await self.ask("for-group", {"people": [{"ratings": self.told}, {"ratings": {}}]})
        if len(self.told) > MOST_TOLD:
            self.told.clear()
        return done == "star"


def memory(page: Served) -> tuple[float, float]:
    """MiB of the server and its processes, and those of them that are no file's.

    What several share counts once. Of libraries, that is among all that the machine runs, so that
    the first changes when another program begins or ends.
    """
    whole = own = 0
    for process in page.family():
        try:
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue  # it ended just now
        told = {name: int(size.split()[0]) for name, size in (line.split(":") for line in lines)}
        whole, own = whole + told["Pss"], own + told["Pss_Anon"]
    return whole / 1024, own / 1024


def taken(page: Served) -> dict[int, float]:
    """Seconds of the processor that each process of the server took so far, by its number."""
    return {process.pid: sum(process.cpu_times()[:2]) for process in page.family()}


def soak(
    run_dir: Path,
    visitors: int,
    minutes: float,
    pause: float = 2.0,
    tell: Callable[[str], None] = print,
) -> Account:
    """Let visitors use a page.

    Args:
        run_dir: the run that the page shows.
        visitors: how many at once.
        minutes: for how long.
        pause: mean seconds between a visitor's actions.
        tell: what is done with each line of `Account.memory`, as it comes.
    """
    account = Account()
    with served(run_dir, "--host", "localhost") as page:  # which tell their visitors apart
        asyncio.run(_visits(page, account, visitors, 60 * minutes, pause, tell))
        if "Traceback" in page.said():
            account.wrong.append(page.said())
    return account


async def _visits(
    page: Served,
    account: Account,
    visitors: int,
    seconds: float,
    pause: float,
    tell: Callable[[str], None],
) -> None:
    began, own, theirs = time.monotonic(), time.process_time(), taken(page)

    async def visit(seed: int) -> None:
        me = Visitor(page, seed)
        try:
            await me.come()
            await asyncio.sleep(me.random.random() * pause)
            while time.monotonic() < began + seconds:
                since = time.monotonic()
                star = await me.act()
                account.seconds.append(time.monotonic() - since)
                if star:
                    account.stars.append(account.seconds[-1])
                await asyncio.sleep(me.random.expovariate(1 / pause))
        except Exception as error:  # told at the end, with the others'
            account.wrong.append(f"{type(error).__name__}: {error}")

    def look() -> None:
        passed, done = time.monotonic() - began, len(account.seconds)
        account.memory.append((passed, done, *memory(page), os.getloadavg()[0]))
        tell(
            "{:5.0f} s, {:,} actions: {:.0f} MiB, {:.0f} of no file, load {:.1f}".format(
                *account.memory[-1]
            )
        )

    async def watch() -> None:
        while time.monotonic() - began < seconds:
            look()
            await asyncio.sleep(min(60.0, seconds / 20))

    await asyncio.gather(watch(), *map(visit, range(visitors)))
    look()
    account.visitors = time.process_time() - own
    account.server = sorted(now - theirs.get(pid, 0) for pid, now in taken(page).items())
