"""What a report was made from, and whether it would come out the same if it were made again."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from movierec import __version__
from movierec.data.datasets import find_archive
from movierec.errors import InputError
from movierec.reports.report import Origin, read_report
from movierec.trust import leads_out

PACKAGES = ("tensorflow", "keras", "numpy", "pandas")  # whose versions change numbers
SIMULATED = "sample"  # made by the code, whatever lies in the data folder


def made_from(sources: Iterable[Path], parameters: Mapping[str, Any], run: Path | None) -> Origin:
    """What a report of these notebooks would be made from now, on a run folder if there is one.

    Of the parameters, which are as the notebooks get them, `path`, or else `data`, names the data.
    """
    name = str(parameters.get("data") or SIMULATED)
    place = parameters.get("path") or (find_archive(name) if name != SIMULATED else None)
    return Origin(
        notebooks={source.stem: checksum([source]) for source in sources},
        parameters=dict(parameters),
        data=_data(Path(place)) if place else None,
        run=checksum([run / "run.json"]) if run else None,
        code=_code(Path(__file__).parents[1]),
        versions={"movierec": __version__, "python": platform.python_version()}
        | {package: metadata.version(package) for package in PACKAGES},
    )


def _code(package: Path) -> str:
    """Checksum of all that Python or a page loads from the package; notebooks have their own."""
    files = (file for file in package.rglob("*.*") if file.is_file())
    made = {"__pycache__", "_notebooks"}
    return checksum(sorted(file for file in files if not made & {*file.parts}), package)


def checksum(files: Iterable[Path], folder: Path | None = None) -> str:
    """SHA-256 of the names, as seen from the folder if one is given, and contents of files."""
    total = hashlib.sha256()
    for file in files:
        name = file.name if folder is None else file.relative_to(folder).as_posix()
        with file.open("rb") as content:
            total.update(f"{name}\0".encode())
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


def _data(place: Path) -> str:
    """Checksum of a zip, or of a folder's files and its folders': a reader takes no deeper ones."""
    if place.is_file():
        return checksum([place])
    files = (path for level in ("*", "*/*") for path in place.glob(level) if path.is_file())
    return checksum(sorted(files), place)


def what_changed(folder: Path, now: Origin) -> str | None:
    """Why the report in a folder has to be made anew, in words; None if it is still true."""
    try:
        told = read_report(folder)
    except InputError:
        return "the one that is there does not say what it was made from"
    if told is None:
        return "there is none yet"
    changed = [
        str(field.title)
        for part, field in Origin.model_fields.items()
        if getattr(told.made_from, part) != getattr(now, part)
    ]
    if changed:
        return f"{' and '.join(changed)} changed"
    if list(told.notebooks) != list(now.notebooks):
        return "metrics.json is no longer as the batch left it"
    for name, expected in told.files.items():
        file = folder / name
        try:
            if leads_out(file, folder):
                return "it names files outside of its folder"
            kept = file.is_file() and checksum([file]) == expected
        except OSError as error:
            return f"{name} cannot be read ({type(error).__name__})"
        if not kept:
            return f"{name} is no longer as the batch left it"
    return None
