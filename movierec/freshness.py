"""What a report was made from, and whether it would come out the same if it were made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from movierec.datasets import find_archive

SIMULATED = "sample"  # made by the code, whatever lies in the data folder

# what each entry of `made_from` is called when it is what has changed
CALLED = {
    "notebooks": "the notebooks",
    "parameters": "the parameters",
    "data": "the data",
    "run": "the run",
    "code": "the code of movierec",
    "versions": "the installed versions",
}


def made_from(
    sources: Iterable[Path],
    parameters: Mapping[str, Any],
    versions: Mapping[str, str],
    run: Path | None,
) -> dict[str, Any]:
    """All that the numbers of a report depend on, as far as it can be told in advance.

    Args:
        sources: the notebooks.
        parameters: as the notebooks get them; of these `path`, or else `data`, names the data.
        versions: of the packages.
        run: a run folder that is reported on.

    Returns:
        JSON, with the keys of `CALLED`. `data` is None if it has yet to be downloaded, or is
        simulated.
    """
    package = Path(__file__).parent
    name = str(parameters.get("data") or SIMULATED)
    place = parameters.get("path") or (find_archive(name) if name != SIMULATED else None)
    return {
        "notebooks": {source.stem: checksum([source]) for source in sources},
        "parameters": dict(parameters),
        "data": checksum(_files(Path(place))) if place else None,
        "run": checksum([run / "run.json"]) if run else None,
        "code": checksum(sorted([*package.glob("*.py"), *package.glob("templates/*")])),
        "versions": dict(versions),
    }


def checksum(files: Iterable[Path]) -> str:
    """SHA-256 of the names and the contents of files."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            total.update(f"{file.name}\0".encode())
            total.update(hashlib.file_digest(content, "sha256").digest())
    return total.hexdigest()


def _files(place: Path) -> list[Path]:
    """A zip, or the files of a folder and of its folders: a reader takes no deeper ones."""
    if place.is_file():
        return [place]
    return sorted(path for level in ("*", "*/*") for path in place.glob(level) if path.is_file())


def what_changed(report: Path, now: Mapping[str, Any]) -> str | None:
    """Why a report has to be made anew, in words; None if it is still true.

    Args:
        report: the folder.
        now: what it would be made from, by `made_from`.
    """
    try:
        told = json.loads((report / "metrics.json").read_text("utf-8"))
        before, files = told["made_from"], told["files"].items()
        left = {report / name: expected for name, expected in files}
        changed = [called for key, called in CALLED.items() if before[key] != now[key]]
    except FileNotFoundError:
        return "there is none yet"
    except (ValueError, KeyError, TypeError, AttributeError):
        return "the one that is there does not say what it was made from"
    if changed:
        return f"{' and '.join(changed)} changed"
    for file, expected in left.items():
        if not file.is_file() or checksum([file]) != expected:
            return f"{file.relative_to(report)} is no longer as the batch left it"
    return None
