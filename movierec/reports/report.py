"""What `metrics.json` of a report holds, and whether the report would come out the same again.

It is written last, and so tells that the report is whole. Reports are sent around: one that is read
may be anybody's, and is used only as far as it has this form.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, FiniteFloat, JsonValue

from movierec import __version__
from movierec.data.datasets import find_archive
from movierec.errors import InputError
from movierec.trust import Form, Shown, leads_out, read_json

FIRST = "index.html"
METRICS = "metrics.json"
SEARCH = "search.js"
BEST = "best"  # the run folder of recipe `best` in a report, beside `model`
PACKAGES = ("tensorflow", "keras", "numpy", "pandas")  # whose versions change numbers
SIMULATED = "sample"  # made by the code, whatever lies in the data folder


def _measurable(value: Any) -> Any:
    """Python reads whole numbers that no float holds."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("expected a number of at most 18 digits")
    return value


class NotebookReport(Form):
    """One executed notebook of a report."""

    name: Shown
    title: str  # its first heading
    question: str  # the first paragraph under that, in Markdown
    before: str  # the paragraph that says what it needs, in Markdown
    minutes: Annotated[int, AfterValidator(_measurable)]  # to read it, about
    seconds: FiniteFloat
    peak_memory_bytes: Annotated[int, AfterValidator(_measurable)]
    metrics: dict[str, Annotated[JsonValue, AfterValidator(_measurable)]]  # given to `record`
    figures: tuple[str, ...]  # relative to the report's folder
    cover: str  # the one that stands for it; "" if it has none


class Report(Form):
    """A whole report."""

    notebooks: dict[str, NotebookReport]  # by name, in order
    made_from: dict[str, JsonValue]  # see `made_from`
    files: str  # see `contents`


def read_report(folder: Path) -> Report | None:
    """What the report in a folder tells; None if there is no `metrics.json`.

    Raises:
        InputError: it is not what a batch of notebooks writes.
    """
    file = folder / METRICS
    return read_json(file, Report) if file.is_file() else None  # a pipe would be waited for


def made_from(
    sources: Iterable[Path], parameters: Mapping[str, Any], run: Path | None
) -> dict[str, Any]:
    """All that the numbers of a report made now would depend on, as far as that can be told.

    Files are told by checksums. `data` is None if it has yet to be downloaded, or is simulated,
    and `run` if there is none to report on. Of the parameters, which are as the notebooks get them,
    `path`, or else `data`, names the data.
    """
    name = str(parameters.get("data") or SIMULATED)
    place = parameters.get("path") or (find_archive(name) if name != SIMULATED else None)
    package, others = Path(__file__).parents[1], {"__pycache__", "_notebooks"}
    code = (file for file in package.rglob("*.*") if not others & {*file.parts})
    return {
        "notebooks": {source.stem: checksum([source], source.parent) for source in sources},
        "parameters": dict(parameters),
        "data": _data(Path(place)) if place else None,
        "run": checksum([run / "run.json"], run) if run else None,
        "code": checksum(code, package),
        "versions": {"movierec": __version__, "python": platform.python_version()}
        | {name: metadata.version(name) for name in PACKAGES},
    }


def checksum(files: Iterable[Path], folder: Path) -> str:
    """SHA-256 of the names, as seen from the folder, and contents of those of the files there."""
    total = hashlib.sha256()
    for file in sorted(filter(Path.is_file, files)):
        with file.open("rb") as content:
            total.update(f"{file.relative_to(folder).as_posix()}\0".encode())
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


def _data(place: Path) -> str:
    """Checksum of a zip, or of a folder's files and its folders': a reader takes no deeper ones."""
    files = [*place.glob("*"), *place.glob("*/*")] if place.is_dir() else [place]
    return checksum(files, place if place.is_dir() else place.parent)


def contents(folder: Path, notebooks: Iterable[str], first: bytes) -> str:
    """Checksums of a report's files beside `metrics.json`, but of links that lead out of it.

    The first page, which is written after `metrics.json`, is given.
    """
    names = [SEARCH, "model/run.json", f"{BEST}/run.json"]
    for name in notebooks:
        names += [f"{name}.ipynb", f"{name}.html", f"figures/{name}_*"]
    found = (file for name in names for file in folder.glob(name))
    others = checksum((file for file in found if not leads_out(file, folder)), folder)
    return f"{others} {hashlib.sha256(first).hexdigest()}"


def what_changed(folder: Path, now: Mapping[str, Any]) -> str | None:
    """Why a folder's report has to be made anew; None if one `made_from` all of `now` is there."""
    try:
        told = read_report(folder)
    except InputError:
        return "the one that is there does not say what it was made from"
    if told is None:
        return "there is none yet"
    changed = [f"the {part}" for part in now if told.made_from.get(part, "") != now[part]]
    if changed:
        return f"{' and '.join(changed)} changed"
    if list(told.notebooks) != list(now["notebooks"]):
        return f"{METRICS} is no longer as the batch left it"
    first = (folder / FIRST).read_bytes() if (folder / FIRST).is_file() else b""
    if told.files != contents(folder, told.notebooks, first):
        return "its files are no longer as the batch left them"
    return None
