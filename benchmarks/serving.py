"""The page in a process of its own, for measurements and tests."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

STARTING = 60.0  # seconds within which a server is up
STOPPING = 30.0  # seconds within which it has stopped


@dataclass(frozen=True)
class Served:
    """A page that is being served.

    Attributes:
        url: its address, without a slash at the end.
        process: the server.
        log: what it says.
    """

    url: str
    process: psutil.Popen
    log: Path

    def said(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def family(self) -> list[psutil.Process]:
        """The server and all processes that it started."""
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def served(run_dir: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """The page of a run on a free port, until the block ends.

    Args:
        run_dir: the run folder.
        options: of `movierec app`.
        env: the server's environment; this process' if not given.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "movierec", "app", "--run", str(run_dir), "--port", "0"]
        with log.open("w") as out:
            process = psutil.Popen([*command, *options], stdout=out, stderr=out, env=env)
        try:
            yield Served(_address(process, log), process, log)
        finally:
            if process.poll() is None:
                process.terminate()  # an interrupt is ignored where the caller ignores it
            try:
                process.wait(STOPPING)
            except psutil.TimeoutExpired:
                process.kill()  # its workers see that, and end
                raise


def _address(process: psutil.Popen, log: Path) -> str:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"The page is at (\S+);", log.read_text("utf-8", errors="replace")):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"the page did not start:\n{log.read_text('utf-8', errors='replace')}")
