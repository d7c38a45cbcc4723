"""What this machine has and what it lacks: the first thing to look at, and to send with a question.

It looks and changes nothing. TensorFlow is not loaded, which would take seconds: versions come from
what the installer wrote down, and graphics cards from their driver's own tool.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from movierec import __version__
from movierec.errors import InputError
from movierec.paths import DATA_VARIABLE, REPORTS_VARIABLE, data_dir, reports_dir

SHOWN = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "safetensors", "papermill")
ROOM = 1.0  # free GiB below which a disk is called full: the largest data set takes about that


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes:
        movierec, python, platform: versions, and the operating system.
        cores: processor cores that this process may use.
        gpus: names of the NVIDIA cards that the driver tells of.
        packages: version by package, of those that decide what numbers come out.
        extras: by extra of movierec, whether all that it asks for is installed.
        paths: the folders in use: `package`, `data`, `reports`.
        data_sets: path by name, of those in the data folder whose files are all there.
        posters: who is asked for posters and titles, in which language; empty: nobody is asked.
        newest_run: path of the run that the commands use when none is named.
        problems: what stands in the way, one sentence each with its mend; empty when all is well.
    """

    movierec: str
    python: str
    platform: str
    cores: int
    gpus: list[str]
    packages: dict[str, str | None]
    extras: dict[str, bool]
    paths: dict[str, str]
    data_sets: dict[str, str]
    posters: dict[str, str]
    newest_run: str | None
    problems: list[str]


def examine() -> Findings:
    """Look at packages, folders, data sets and runs; takes under a second."""
    problems = [*_unfit_python(), *_unmet(_requirements(), ""), *_unusable_folders()]
    if not _requirements():
        problems.append(
            f"movierec runs from {Path(__file__).parent} but is not installed; install it with "
            "`pip install -e .` in its checkout, or run `make setup` there"
        )
    data_sets: dict[str, str] = {}
    newest = None
    if all(_version(package) for package in ("numpy", "pandas", "pyarrow", "safetensors")):
        data_sets = _data_sets(problems)
        newest = _newest_run(problems)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Findings(
        movierec=__version__,
        python=f"{platform.python_version()} ({sys.executable})",
        platform=platform.platform(),
        cores=cores or 1,
        gpus=_gpus(problems),
        packages={package: _version(package) for package in SHOWN},
        extras=_extras(),
        paths={
            "package": str(Path(__file__).parent),
            "data": str(data_dir().absolute()),
            "reports": str(reports_dir().absolute()),
        },
        data_sets=data_sets,
        posters=_posters(problems),
        newest_run=newest,
        problems=problems,
    )


def missing_extras() -> list[str]:
    """The extras of movierec of which something is not installed."""
    return [extra for extra, whole in _extras().items() if not whole]


def _requirements() -> list[Requirement]:
    """What the installed movierec asks for; nothing where it runs without being installed."""
    if _version("movierec") is None:
        return []
    return [Requirement(line) for line in metadata.requires("movierec") or []]


def _extras() -> dict[str, bool]:
    """Whether all that an extra asks for is installed."""
    if _version("movierec") is None:
        return {}
    needed = _requirements()
    names = sorted(metadata.metadata("movierec").get_all("Provides-Extra") or [])
    return {extra: not any(_unmet(needed, extra)) for extra in names}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _unfit_python() -> Iterator[str]:
    """A Python that pip would have refused: environments are moved to another one, too."""
    if _version("movierec") is None:
        return
    wanted = SpecifierSet(metadata.metadata("movierec")["Requires-Python"])
    if not wanted.contains(found := platform.python_version(), prereleases=True):
        yield (
            f"Python is {found}; expected {wanted}, those that TensorFlow is made for: make the "
            "environment anew with one of them"
        )


def _unmet(requirements: list[Requirement], extra: str) -> Iterator[str]:
    """What is missing of the requirements that only this extra has ("": that always hold)."""
    for needed in requirements:
        always = needed.marker is None or needed.marker.evaluate({"extra": ""})
        here = needed.marker is None or needed.marker.evaluate({"extra": extra})
        if not here or always == bool(extra):
            continue
        found = _version(needed.name)
        mend = f'install it with `pip install "{needed.name}{needed.specifier}"`'
        if found is None:
            yield f"{needed.name} is not installed; {mend}"
        elif not needed.specifier.contains(found, prereleases=True):
            yield f"{needed.name} is {found}; expected {needed.specifier}: {mend}"
        else:
            below = [Requirement(line) for line in metadata.requires(needed.name) or []]
            for inner in sorted(needed.extras):
                yield from _unmet(below, inner)


def _unusable_folders() -> Iterator[str]:
    for folder, variable in ((data_dir(), DATA_VARIABLE), (reports_dir(), REPORTS_VARIABLE)):
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        other = f"set {variable} to another folder"
        if not there.is_dir():
            yield f"{there} is a file; expected a folder: {other}"
        elif not os.access(there, os.W_OK | os.X_OK):
            yield f"{there} may not be written; change its permissions, or {other}"
        elif (free := shutil.disk_usage(there).free / 2**30) < ROOM:
            yield f"the disk of {there} has {free:.2f} GiB left; free some, or {other}"


# each of these gives what it finds, and adds what stands in the way to the problems


def _data_sets(problems: list[str]) -> dict[str, str]:
    from movierec.data.datasets import find_archive, names
    from movierec.data.sources import form_of, opened

    found = {}
    for name in names():
        if (path := find_archive(name)) is None:
            continue
        try:
            with opened(path, name) as source:
                form_of(source)
            found[name] = str(path)
        except InputError as error:
            problems.append(f"data set {name}: {error}")
    return found


def _newest_run(problems: list[str]) -> str | None:
    from movierec.runs import load_run, newest_path

    try:
        return str(load_run(path).path) if (path := newest_path()) else None
    except InputError as error:
        problems.append(str(error))
        return None


def _posters(problems: list[str]) -> dict[str, str]:
    from movierec.posters.settings import settings

    try:
        chosen = settings()
    except InputError as error:
        problems.append(str(error))
        return {}
    return {"provider": chosen.provider, "language": chosen.language} if chosen else {}


def _gpus(problems: list[str]) -> list[str]:
    if (tool := shutil.which("nvidia-smi")) is None:
        return []
    command = [tool, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        problems.append(
            f"the NVIDIA driver does not answer ({error}); reinstall it to use its card"
        )
        return []
    return done.stdout.splitlines()
