"""What this machine has and what it lacks: the first thing to look at, and to send with a question.

It looks and changes nothing. TensorFlow is not loaded, which would take seconds: versions come from
what the installer wrote down.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from movierec import __version__
from movierec.errors import InputError
from movierec.paths import DATA_VARIABLE, REPORTS_VARIABLE, data_dir, reports_dir

SHOWN = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "safetensors", "papermill")
ROOM = 1.0  # free GiB below which a disk is called full: the largest data set takes about that


def examine() -> dict[str, Any]:
    """Look at packages, folders, data sets and runs; takes under a second.

    Returns:
        `movierec`, `python`, `platform`, `cores` (that this process may use); `packages`, version
        or None by name; `extras`, whether all is installed; `paths` in use; `data_sets`, path by
        name; `posters`, who is asked in which language; `newest_run`, which commands use when none
        is named; and `problems`, what stands in the way, one sentence each with its mend.
    """
    package, needed = Path(__file__).parent, _requirements()
    problems = [*_unmet(needed, ""), *_unusable_folders()]
    if not needed:
        problems.append(
            f"movierec runs from {package} but is not installed; install it with "
            "`pip install -e .` in its checkout, or run `make setup` there"
        )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    readable = all(_version(name) for name in ("numpy", "pandas", "pyarrow", "safetensors"))
    paths = {"package": package, "data": data_dir().absolute(), "reports": reports_dir().absolute()}
    return {
        "movierec": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "cores": cores or 1,
        "packages": {name: _version(name) for name in SHOWN},
        "extras": _extras(),
        "paths": {name: str(path) for name, path in paths.items()},
        **(_found(problems) if readable else {"data_sets": {}, "posters": {}, "newest_run": None}),
        "problems": problems,
    }


def missing_extras() -> list[str]:
    """The extras of movierec of which something is not installed."""
    return [extra for extra, whole in _extras().items() if not whole]


def _requirements() -> list[Requirement]:
    """What the installed movierec asks for; nothing where it runs without being installed."""
    if _version("movierec") is None:
        return []
    return [Requirement(line) for line in metadata.requires("movierec") or []]


def _extras() -> dict[str, bool]:
    if not (needed := _requirements()):
        return {}
    names = sorted(metadata.metadata("movierec").get_all("Provides-Extra") or [])
    return {extra: not any(_unmet(needed, extra)) for extra in names}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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


def _found(problems: list[str]) -> dict[str, Any]:
    """Data sets, posters and the newest run; what is wrong with them is added to the problems."""
    from movierec.data.datasets import find_archive, names
    from movierec.data.sources import form_of, opened
    from movierec.posters.metadata import provider
    from movierec.runs import load_run, newest_path

    @contextmanager
    def told(where: str = "") -> Iterator[None]:
        try:
            yield
        except InputError as error:
            problems.append(f"{where}{error}")

    found: dict[str, Any] = {"data_sets": {}, "posters": {}, "newest_run": None}
    for name in names():
        if path := find_archive(name):
            with told(f"data set {name}: "), opened(path, name) as source:
                form_of(source)
                found["data_sets"][name] = str(path)
    with told():
        if asked := provider():
            found["posters"] = {"provider": "TMDB", "language": asked.language}
    with told():
        if newest := newest_path():
            found["newest_run"] = str(load_run(newest).path)
    return found
