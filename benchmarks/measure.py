"""Whole processes, timed; medians of rounds; a table and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import IO, Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

PACKAGES = ("movierec", "tensorflow", "keras", "numpy", "scikit-surprise", "cornac", "implicit")
Row = dict[str, float]  # what one process was measured at, by column


def run_python(
    *arguments: str | Path, env: Mapping[str, str] | None = None, python: str = sys.executable
) -> dict[str, Any]:
    """Run a Python process to its end.

    Args:
        arguments: what follows `python`; a result is one JSON object on its standard output.
        env: added to the environment.
        python: the interpreter.

    Returns:
        That result, with `whole` (seconds from the start of the process to its end) and `peak`
        (GiB of memory that it held at most).

    Raises:
        click.ClickException: the process failed.
    """
    return finish(start_python(*arguments, env=env, python=python))


class Started(NamedTuple):
    """A process under way: since when, and where its errors go."""

    process: subprocess.Popen[str]
    began: float
    errors: IO[str]


def start_python(
    *arguments: str | Path, env: Mapping[str, str] | None = None, python: str = sys.executable
) -> Started:
    """Start a Python process as `run_python` does, and do not wait for it."""
    quiet = {"MOVIEREC_PROGRESS": "off", "TF_CPP_MIN_LOG_LEVEL": "3"}
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in `finish`); no pipe can fill up
    began = time.perf_counter()
    process = subprocess.Popen(
        [python, *map(str, arguments)],
        env=os.environ | quiet | dict(env or {}),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    return Started(process, began, errors)


def finish(started: Started) -> dict[str, Any]:
    """Wait for the end of a process; returns and raises as `run_python`."""
    process, began, errors = started
    assert process.stdout is not None
    with errors, process.stdout:
        output = process.stdout.read()
        # the only way to the memory of this child alone
        _, status, usage = os.wait4(process.pid, 0)
        whole = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise click.ClickException(
                f"a process ended with {process.returncode}: {process.args!r}\n{errors.read()}"
            )
    result = json.loads(output) if output.lstrip().startswith("{") else {}
    unit = 2**30 if sys.platform == "darwin" else 2**20  # bytes there, KiB elsewhere
    return result | {"whole": whole, "peak": usage.ru_maxrss / unit}


def run_together(count: int, of: Callable[[int], Sequence[str | Path]]) -> Row:
    """Run workers that train together, on ports of this machine, to their end.

    Args:
        count: how many.
        of: the arguments of each, as in `run_python`, by its number; each is told the others.

    Returns:
        The result of the first, with the longest `whole` and the sum of `peak`.
    """
    hosts = [f"localhost:{port}" for port in free_ports(count)]
    workers = []
    for index in range(count):
        told = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        workers.append(start_python(*of(index), env={"TF_CONFIG": json.dumps(told)}))
    rows = [finish(each) for each in workers]
    whole, peak = max(row["whole"] for row in rows), sum(row["peak"] for row in rows)
    return rows[0] | {"whole": whole, "peak": peak}


def alternate(
    repeat: int, methods: Mapping[str, Callable[[], Row]], console: Console
) -> dict[str, list[Row]]:
    """Measure every method once a round, so that what slows the machine slows all alike."""
    rounds: dict[str, list[Row]] = {name: [] for name in methods}
    for number in range(repeat):
        for name, measure in methods.items():
            with console.status(f"round {number + 1} of {repeat}: {name}"):
                rounds[name].append(measure())
    return rounds


def turns_within(
    repeat: int, console: Console, module: str, *given: str | Path
) -> dict[str, list[Row]]:
    """Rounds of a process whose methods take turns within it."""
    rounds: dict[str, list[Row]] = {}
    for number in range(repeat):
        with console.status(f"round {number + 1} of {repeat}: {' '.join(map(str, given))}"):
            found = run_python("-m", module, *given)
        for name, row in found.items():
            if isinstance(row, dict):  # beside them stand the time and memory of the process
                rounds.setdefault(name, []).append(row | {"peak": found["peak"]})
    return rounds


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def folder_or_new(kept: Path | None) -> Iterator[Path]:
    """A folder to keep, made if need be; None: one that goes when it is done with."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def report(
    section: str,
    title: str,
    columns: Mapping[str, str],
    rounds: Mapping[str, Sequence[Row]],
    out: Path,
    console: Console,
    ratio: tuple[str, str] | None = None,
) -> None:
    """Print medians with their ranges; write all rounds as JSON, and the table for a page.

    Args:
        section: the file's name.
        title: above the table.
        columns: headings by the key of a row, in order.
        rounds: rows of each method; a key that a row lacks is shown as a dash.
        out: folder.
        console: where to print.
        ratio: a method and a key: each method's median of that key as a multiple of this one's.
    """
    headings = ["", *columns.values(), *([f"ratio to {ratio[0]}"] if ratio else [])]
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right" if heading else "left", overflow="fold")
    page = ["| " + " | ".join(headings) + " |", "| --- " + "| ---: " * (len(headings) - 1) + "|"]
    medians: dict[str, dict[str, Any]] = {}
    for name, rows in rounds.items():
        cells = []
        medians[name] = {}
        for key in columns:
            values = [row[key] for row in rows if row.get(key) is not None]
            medians[name][key] = median(values) if values else None
            cells.append(_cell(values))
        if ratio:
            base, own = median(row[ratio[1]] for row in rounds[ratio[0]]), medians[name][ratio[1]]
            medians[name]["ratio"] = own / base if own is not None else None
            cells.append("-" if own is None else f"{own / base:.2f}")
        table.add_row(name, *(cell.replace(" ", "\n") for cell in cells))
        page.append("| " + " | ".join([name, *cells]) + " |")
    console.print(table)
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "section": section,
        "title": title,
        "machine": machine(),
        "columns": columns,
        "medians": medians,
        "rounds": rounds,
    }
    (out / f"{section}.md").write_text("\n".join(page) + "\n", "utf-8")
    (out / f"{section}.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def machine() -> dict[str, Any]:
    """What was measured on."""
    packages: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            packages[package] = None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "packages": packages,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _cell(values: Sequence[float]) -> str:
    """The median, and the lowest and highest where they differ from it."""
    if not values:
        return "-"
    middle, low, high = (_number(value) for value in (median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.4f}" if value < 1 else f"{value:.2f}"
