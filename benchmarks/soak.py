"""Visitors who act at random for a while, as their pages would; the server's memory and errors."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from benchmarks.serving import Served, served

PATIENCE = 60.0  # seconds for an answer
TYPED = ("star", "the", "love", "1995", "zzz", "Amélie", "<b>", "king")


@dataclass
class Account:
    """What a soak saw.

    Attributes:
        seconds: of each answer.
        wrong: what went wrong.
        memory: MiB of the server and all its processes (shared memory once), after so many seconds.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)


class Visitor:
    """A page without a browser: a connection, what was told, and the next question."""

    def __init__(self, site: Served, seed: int) -> None:
        address = urlsplit(site.url)
        self.random, self.told = random.Random(seed), dict[str, float]()
        self._door = http.client.HTTPConnection(address.netloc, timeout=PATIENCE)
        self._client = f"10.0.{seed // 250}.{seed % 250 + 1}"  # each is somebody of their own
        self.about = self.ask("about", {})
        self.list = self.ask("for-new-user", {"ask": 3})

    def ask(self, name: str, question: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "X-Forwarded-For": self._client}
        self._door.request("POST", f"/api/v1/{name}", json.dumps(question), headers)
        answer = self._door.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{name}: {answer.status} {content[:300]!r}")
        return json.loads(content)

    def act(self) -> None:
        """What somebody does next; mostly, give stars."""
        films = self.list["ask"] or self.list["films"]
        film = self.random.choice(films or [{"movie_id": 1}])["movie_id"]
        match self.random.choice(["star"] * 6 + ["film", "find", "tune", "together"]):
            case "star":
                self.told[str(film)] = self.random.choice(self.about["stars"])
                self.list = self.ask("for-new-user", {"ratings": self.told, "ask": 3})
            case "film":
                self.ask("explain", {"ratings": self.told, "movie_id": film})
                self.ask("similar", {"movie_id": film, "k": 6})
            case "find":
                self.ask("find", {"text": self.random.choice(TYPED)})
            case "tune":
                genres = [self.random.choice(self.about["genres"])]
                settings = {"genres": genres, "variety": self.random.random()}
                self.ask("for-new-user", {"ratings": self.told, "ask": 3} | settings)
            case "together":
                self.ask("for-group", {"people": [{"ratings": self.told}, {"ratings": {}}]})


def memory(page: Served) -> float:
    """MiB of the server and its processes; what several share counts once."""
    total = 0
    for process in page.family():
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue  # it ended just now
    return total / 2**20


def soak(run_dir: Path, visitors: int, minutes: float, pause: float = 2.0) -> Account:
    """Let visitors use a page.

    Args:
        run_dir: the run that the page shows.
        visitors: how many at once.
        minutes: for how long.
        pause: mean seconds between a visitor's actions.
    """
    account = Account()
    with served(run_dir) as page:
        account.memory.append((0.0, memory(page)))
        until = time.monotonic() + 60 * minutes

        def visit(seed: int) -> None:
            try:
                me = Visitor(page, seed)
                time.sleep(me.random.random() * pause)
                while time.monotonic() < until:
                    began = time.monotonic()
                    me.act()
                    account.seconds.append(time.monotonic() - began)
                    time.sleep(me.random.expovariate(1 / pause))
                    if len(me.told) > 60:
                        me.told.clear()
            except Exception as error:  # told at the end, with the others'
                account.wrong.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(visitors)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while time.monotonic() < until and any(thread.is_alive() for thread in threads):
            time.sleep(60 * minutes / 20)
            account.memory.append((time.monotonic() - began, memory(page)))
        for thread in threads:
            thread.join()
        if "Traceback" in page.said():
            account.wrong.append(page.said())
    return account
