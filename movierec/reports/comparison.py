"""Two runs or two reports side by side, as one page that can be mailed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from movierec.errors import InputError
from movierec.evaluation.evaluate import BY_STARS, measure
from movierec.evaluation.metrics import difference
from movierec.files import write_whole
from movierec.reports.pages import picture, rendered
from movierec.reports.report import BEST, NotebookReport, Report, read_report
from movierec.runs import Run, is_run, load_run
from movierec.trust import check_within

K = 10  # films a list
PLACES = {"the run": ("", "model"), "recipe best": (BEST,)}  # where in a folder each may be


@dataclass(frozen=True)
class _Side:
    """One of the two folders."""

    path: Path
    notebooks: Mapping[str, NotebookReport]  # empty for a run folder
    settings: Mapping[str, Mapping[str, Any]]  # by where they stand and name
    runs: Mapping[str, Run]  # with the keys of `PLACES`


def compare_folders(
    first: Path | str, second: Path | str, page: Path | str | None = None
) -> dict[str, Any]:
    """Compare two run folders, or two reports of the notebooks.

    Differences are the second less the first. Where both runs have the same held-out rows, their
    errors and lists are compared on the same users, with intervals.

    Args:
        first, second: the folders.
        page: where to write it all as HTML; nowhere if None.

    Returns:
        `first` and `second`, the folders; `settings`, those that differ, by where they stand and
        name, each with both values; `figures`, the numbers that the notebooks recorded, by notebook
        and name, and `took`, seconds and MiB by notebook, each with both values; `held_out`, by
        run, with `rows`, and by metric `first`, `second`, `difference`, `low`, `high`, `p`;
        `not_compared`, by run the reason why there is no such comparison.

    Raises:
        InputError: a folder that is neither, or a page that cannot be written.
    """
    sides = _opened(Path(first)), _opened(Path(second))
    result: dict[str, Any] = {
        "first": str(sides[0].path),
        "second": str(sides[1].path),
        "settings": _settings(*sides),
        "figures": _both(*sides, "numbers"),
        "took": _both(*sides, "took"),
        "held_out": {},
        "not_compared": {},
    }
    for called in PLACES:
        one, other = (side.runs.get(called) for side in sides)
        try:
            if one and other:
                result["held_out"][called] = _held_out(one, other)
            elif one or other:
                result["not_compared"][called] = "only one of the two has it"
        except InputError as error:
            result["not_compared"][called] = str(error)
    if page is not None:
        place = Path(page)
        if place.is_dir():
            raise InputError(f"{place} is a folder; expected the name of a page, such as both.html")
        place.parent.mkdir(parents=True, exist_ok=True)
        kind = next(called for called in PLACES if called in sides[0].runs)
        curves = _curves([side.runs[kind] for side in sides if kind in side.runs])
        write_whole(place, rendered("comparison.html.j2", **result, curves=curves))
    return result


def _opened(path: Path) -> _Side:
    """A run folder or a report; what neither is, is refused with what was expected."""
    report = read_report(path)
    runs: dict[str, Run] = {}
    for called, places in PLACES.items():
        for folder in (path / place for place in places):
            check_within(folder, path, "compare the run folder itself, if you trust it")
            if called not in runs and is_run(folder):
                runs[called] = load_run(folder)
    if not runs:
        load_run(path)  # says what is wrong
        raise InputError(f"{path} holds no run that can be compared")
    return _Side(path, report.notebooks if report else {}, _told(report, runs), runs)


def _told(report: Report | None, runs: Mapping[str, Run]) -> dict[str, Mapping[str, Any]]:
    """What was set and installed, by where it stands."""
    told: dict[str, Mapping[str, Any]] = {}
    if report:
        told = {"parameters": report.made_from.parameters, "versions": report.made_from.versions}
    for called, run in runs.items():
        rows = {f"{part} rows": count for part, count in run.info["rows"].items()}
        config = {name: value for name, value in run.config.items() if name != "network"}
        network = run.config.get("network", {})
        told[called] = config | network | {"data": run.info["dataset"]} | rows
    return told


def _settings(first: _Side, second: _Side) -> dict[str, dict[str, list[Any]]]:
    """What was set or installed differently."""
    found = {}
    for where, one in first.settings.items():
        other = second.settings.get(where, one)
        pairs = {name: [one.get(name), other.get(name)] for name in {**one, **other}}
        if differ := {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}:
            found[where] = differ
    return found


def _both(first: _Side, second: _Side, what: str) -> dict[str, dict[str, list[float]]]:
    """Numbers that both reports have, by notebook and name; `what` is "numbers" or "took"."""
    found = {}
    for name in (name for name in first.notebooks if name in second.notebooks):
        one, other = (getattr(side.notebooks[name], what) for side in (first, second))
        if shared := {figure: [one[figure], other[figure]] for figure in one if figure in other}:
            found[name] = shared
    return found


def _held_out(first: Run, second: Run) -> dict[str, Any]:
    """Both runs on the rows that both held out, by metric.

    Raises:
        InputError: different rows, or none.
    """
    methods, _ = measure([first, second], k=K, baselines={})
    measured = [found for name, found in methods.items() if not name.endswith(BY_STARS)]
    tables = [one.summary() for one in measured]
    values = [{**table, **table.get("ranking", {})} for table in tables]
    table = difference(measured[1].by_user, measured[0].by_user).dropna()
    return {
        "rows": len(first.rows("test").rating),
        "metrics": {
            name: {"first": values[0].get(name), "second": values[1].get(name), **row}
            for name, row in table.to_dict("index").items()
        },
    }


def _curves(runs: list[Run]) -> str:
    """The losses of runs that set rows aside for validation, as PNG in base64; "" if none did."""
    from movierec.lessons.plots import paired_losses

    named = zip(("first", "second"), (run.history for run in runs), strict=False)
    histories = {name: told for name, told in named if told["val_loss"].notna().any()}
    if not histories:
        return ""
    png = picture(lambda figure: paired_losses(histories, figure.subplots()), (7, 4))
    return base64.b64encode(png).decode()
