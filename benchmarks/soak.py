"""Visitors who act at random for a while, as their pages would; the server's memory and errors."""

from __future__ import annotations

import json
import random
import re
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from websockets.sync.client import ClientConnection, connect

from benchmarks.serving import Served, served

PATIENCE = 60.0  # seconds for an answer
TYPED = ("star", "the", "love", "1995", "zzz", "Amélie", "<b>", "king")


@dataclass
class Account:
    """What a soak saw.

    Attributes:
        seconds: of each action, from its sending to the kernel's rest.
        wrong: what went wrong.
        memory: MiB of the server and all its processes (shared memory once), after so many seconds.
    """

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)


class Visitor:
    """A page without a browser: reads the widgets' state and sends what clicks would send."""

    def __init__(self, page: Served, seed: int) -> None:
        self.page, self.random = page, random.Random(seed)
        with urlopen(page.url + "/", timeout=PATIENCE) as answer:
            text = answer.read().decode()
        found = re.search(r'"kernelId": "([^"]+)"', text)
        if found is None:
            raise RuntimeError(f"no kernel in the page: {text[:500]}")
        self.kernel = found[1]

    def run(
        self, everybody: threading.Barrier, minutes: float, pause: float, account: Account
    ) -> None:
        """Once everybody is in, act for some minutes, with pauses of about `pause` seconds."""
        address = f"ws{self.page.url.removeprefix('http')}/api/kernels/{self.kernel}/channels"
        with connect(address, max_size=None, ping_timeout=PATIENCE) as socket:
            models = self._models(socket)
            everybody.wait(10 * PATIENCE)
            until = time.monotonic() + 60 * minutes
            while time.monotonic() < until:
                comm, data = self._choose(models)
                began = time.monotonic()
                said = self._send(socket, "comm_msg", {"comm_id": comm, "data": data}, models)
                account.seconds.append(time.monotonic() - began)
                account.wrong += said
                time.sleep(self.random.expovariate(1 / pause))
        leave = f"{self.page.url}/voila/api/shutdown/{self.kernel}"
        urlopen(Request(leave, method="POST"), timeout=PATIENCE).close()

    def _choose(self, models: dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """A control, and what a visitor may do with it."""

        def of(**wanted: Any) -> list[str]:
            return [i for i, s in models.items() if all(s.get(k) == v for k, v in wanted.items())]

        grids = [i for i in of(kind="cards") if models[i]["cards"]]
        what = self.random.choice(("card", "card", "card", "tab", "type", "knob"))
        if what == "card" and grids:
            grid = self.random.choice(grids)
            card = self.random.choice(models[grid]["cards"])
            actions = [action for action, _ in card["buttons"]] + ["rate"] * card["rate"]
            if actions:
                action = self.random.choice(actions)
                stars = self.random.choice(models[grid]["star_values"])
                content = {"action": action, "movie_id": card["movie_id"]}
                content["value"] = stars if action == "rate" else None
                return grid, {"method": "custom", "content": content}
        if what == "type":
            text = self.random.choice(of(_model_name="TextModel"))
            return text, _update(value=self.random.choice(TYPED))
        if what == "knob":
            return self.random.choice(of(kind="knob")), _update(value=self.random.random())
        return of(_model_name="TabModel")[0], _update(selected_index=self.random.randrange(4))

    def _models(self, socket: ClientConnection) -> dict[str, dict[str, Any]]:
        """The state of every widget, as a page asks for it when it opens."""
        control = {"comm_id": uuid.uuid4().hex, "target_name": "jupyter.widget.control"}
        self._send(socket, "comm_open", control | {"data": {}, "target_module": None}, {})
        models: dict[str, dict[str, Any]] = {}
        asked = {"comm_id": control["comm_id"], "data": {"method": "request_states"}}
        self._send(socket, "comm_msg", asked, models)
        if not models:
            raise RuntimeError("the kernel told of no widgets")
        return models

    def _send(
        self, socket: ClientConnection, kind: str, content: dict[str, Any], models: dict[str, Any]
    ) -> list[str]:
        """Send a message, keep up with the states that change by it; what went wrong."""
        name = uuid.uuid4().hex
        header = {"msg_id": name, "msg_type": kind, "session": self.kernel, "username": "v"}
        header |= {"version": "5.3", "date": "2030-01-01T00:00:00Z"}
        message = {"header": header, "parent_header": {}, "content": content}
        message["metadata"] = {"version": "1.0.0"}  # of the protocol of ipywidgets' control
        socket.send(json.dumps(message | {"channel": "shell", "buffers": []}))
        wrong = []
        while True:
            received = socket.recv(timeout=PATIENCE)
            if isinstance(received, bytes):  # JSON, and then buffers: the first is the message
                count = int.from_bytes(received[:4], "big")
                ends = [int.from_bytes(received[4 * n : 4 * n + 4], "big") for n in (1, 2)]
                received = received[ends[0] : ends[1] if count > 1 else None].decode()
            answer = json.loads(received)
            if answer["parent_header"].get("msg_id") != name:
                continue
            kind, said = answer["header"]["msg_type"], answer["content"]
            if kind == "error" or (kind == "stream" and said["name"] == "stderr"):
                wrong.append(str(said)[:500])
            if kind == "comm_msg":
                data = said["data"]
                if data.get("method") == "update":
                    models.setdefault(said["comm_id"], {}).update(data["state"])
                for model, each in data.get("states", {}).items():
                    models[model] = each["state"]
            if kind == "status" and said["execution_state"] == "idle":
                return wrong


def _update(**state: Any) -> dict[str, Any]:
    return {"method": "update", "state": state, "buffer_paths": []}


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
    with served(run_dir, "--visitors", str(visitors), "--pool", "2") as page:
        everybody = threading.Barrier(visitors + 1)

        def visit(seed: int) -> None:  # each opens and connects at once, as a page does
            try:
                Visitor(page, seed).run(everybody, minutes, pause, account)
            except Exception as error:  # told at the end, with the others'
                everybody.abort()
                account.wrong.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(visitors)]
        for thread in threads:
            thread.start()
        with suppress(threading.BrokenBarrierError):  # what broke it is in the account
            everybody.wait(10 * PATIENCE)
        began = time.monotonic()
        while time.monotonic() < began + 60 * minutes and any(t.is_alive() for t in threads):
            account.memory.append((time.monotonic() - began, memory(page)))
            time.sleep(60 * minutes / 20)
        for thread in threads:
            thread.join()
        if "Traceback" in page.said():
            account.wrong.append(page.said())
    return account
