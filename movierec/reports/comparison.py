"""Two runs or two reports side by side, as one page that can be mailed."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from movierec.errors import InputError, one_line
from movierec.evaluation.evaluate import measure_runs
from movierec.evaluation.metrics import difference
from movierec.files import write_whole
from movierec.reports.pages import as_webp, recorded_before, rendered
from movierec.runs import Run, is_run, load_run
from movierec.trust import check_within

K = 10  # films a list
BEST = "best"
KINDS = {"network": "the network", BEST: "recipe best"}


@dataclass(frozen=True)
class _Side:
    """One of the two folders.

    Attributes:
        path: the folder.
        told: `metrics.json` of a report; empty for a run folder.
        runs: its runs by kind, with the keys of `KINDS`.
    """

    path: Path
    told: Mapping[str, Any]
    runs: Mapping[str, Run]


def compare_folders(
    first: Path | str, second: Path | str, page: Path | str | None = None, seed: int = 0
) -> dict[str, Any]:
    """Compare two run folders, or two reports of the notebooks.

    Differences are the second less the first. Where both have a run of the same kind with the same
    held-out rows, their errors and lists are compared on the same users, with intervals.

    Args:
        first, second: the folders.
        page: where to write it all as HTML; nowhere if None.
        seed: of the intervals.

    Returns:
        `first` and `second`, the folders; `settings`, those that differ, by where they stand and
        name, each with both values; `figures`, the numbers that the notebooks recorded, by notebook
        and name, and `took`, seconds and MiB by notebook, each with both values; `held_out`, by
        kind of run, with `rows`, and by metric `first`, `second`, `difference`, `low`, `high`, `p`;
        `not_compared`, by kind the reason why there is no such comparison.

    Raises:
        InputError: a folder that is neither, or a page that cannot be written.
    """
    sides = _opened(Path(first)), _opened(Path(second))
    result: dict[str, Any] = {
        "first": str(sides[0].path),
        "second": str(sides[1].path),
        "settings": _settings(*sides),
        "figures": _figures(*sides),
        "took": _took(*sides),
        "held_out": {},
        "not_compared": {},
    }
    for kind, called in KINDS.items():
        runs = [side.runs[kind] for side in sides if kind in side.runs]
        if len(runs) == 1:
            result["not_compared"][called] = "only one of the two has it"
        if len(runs) < 2:
            continue
        try:
            result["held_out"][called] = _held_out(runs[0], runs[1], seed)
        except InputError as error:
            result["not_compared"][called] = str(error)
    if not set(sides[0].runs) & set(sides[1].runs):
        result["not_compared"] = {"the runs": "they are of different kinds"}
    if page is not None:
        place = Path(page)
        if place.is_dir():
            raise InputError(f"{place} is a folder; expected the name of a page, such as both.html")
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, _page(result, *sides))
    return result


def _opened(path: Path) -> _Side:
    """A run folder or a report; what neither is, is refused with what was expected."""
    told = _read_metrics(path / "metrics.json")
    places = {"network": [path, path / "model"], BEST: [path, path / BEST]}
    runs: dict[str, Run] = {}
    for kind, folders in places.items():
        for folder in folders:
            check_within(folder, path, "compare the run folder itself, if you trust it")
            if is_run(folder) and ("network" in (run := load_run(folder)).config) == (
                kind == "network"
            ):
                runs.setdefault(kind, run)
    if not runs:
        load_run(path)  # says what is wrong
        raise InputError(f"{path} holds no run that can be compared")
    return _Side(path, told, runs)


def _read_metrics(file: Path) -> Mapping[str, Any]:
    """What a report tells; a file of somebody else may hold anything."""
    if not file.is_file():  # a pipe would be waited for
        return {}
    try:
        told = json.loads(file.read_text("utf-8"))
        notebooks = {str(name): recorded_before(entry) for name, entry in told["notebooks"].items()}
        return {"notebooks": notebooks, **{k: dict(told[k]) for k in ("parameters", "versions")}}
    except (
        *(OSError, ValueError, OverflowError),
        *(KeyError, TypeError, AttributeError, RecursionError),
    ) as error:
        raise InputError(
            f"{file} is not what a batch of notebooks writes ({type(error).__name__}: "
            f"{one_line(error)}); run `movierec notebooks` anew, or compare the run folders"
        ) from error


def _settings(first: _Side, second: _Side) -> dict[str, dict[str, list[Any]]]:
    """What was set or installed differently."""
    pairs: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        (name, first.told.get(name, {}), second.told.get(name, {}))
        for name in ("parameters", "versions")
        if first.told and second.told
    ]
    for kind, called in KINDS.items():
        if kind in first.runs and kind in second.runs:
            pairs.append((called, _config(first.runs[kind]), _config(second.runs[kind])))
    found = {}
    for where, one, other in pairs:
        differ = {
            name: [one.get(name), other.get(name)]
            for name in {**one, **other}
            if one.get(name) != other.get(name)
        }
        if differ:
            found[where] = differ
    return found


def _config(run: Run) -> dict[str, Any]:
    config = {**run.config, **run.config.get("network", {}), "data": run.info["dataset"]}
    config |= {f"{part} rows": rows for part, rows in run.info["rows"].items()}
    config.pop("network", None)
    return config


def _figures(first: _Side, second: _Side) -> dict[str, dict[str, list[float]]]:
    """Numbers that both reports have, by notebook and name."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, entry in first.told.get("notebooks", {}).items():
        other = second.told.get("notebooks", {}).get(name, {}).get("metrics", {})
        both = {
            figure: [value, other[figure]]
            for figure, value in entry["metrics"].items()
            if _is_number(value) and _is_number(other.get(figure))
        }
        if both:
            found[name] = both
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _took(first: _Side, second: _Side) -> dict[str, dict[str, list[float]]]:
    others = second.told.get("notebooks", {})
    return {
        name: {
            "seconds": [entry["seconds"], others[name]["seconds"]],
            "peak memory (MiB)": [
                round(side["peak_memory_bytes"] / 2**20) for side in (entry, others[name])
            ],
        }
        for name, entry in first.told.get("notebooks", {}).items()
        if name in others
    }


def _held_out(first: Run, second: Run, seed: int) -> dict[str, Any]:
    """Both runs on the rows that both held out, by metric.

    Raises:
        InputError: different rows, or none.
    """
    measured = list(measure_runs([first, second], k=K).values())
    tables = [one.summary(seed) for one in measured]
    values = [{**table, **table.get("ranking", {})} for table in tables]
    table = difference(measured[1].by_user, measured[0].by_user, seed=seed).dropna()
    return {
        "rows": len(first.rows("test").rating),
        "metrics": {
            name: {"first": values[0].get(name), "second": values[1].get(name), **row}
            for name, row in table.to_dict("index").items()
        },
    }


# ---- the page ----


def _page(result: Mapping[str, Any], first: _Side, second: _Side) -> str:
    curves = {
        name: run
        for name, run in (
            ("first", first.runs.get("network")),
            ("second", second.runs.get("network")),
        )
        if run is not None
    }
    return rendered(
        "comparison.html.j2",
        **result,
        curves=_curves(curves) if curves else None,
        shown=_shown,
    )


def _curves(runs: Mapping[str, Run]) -> str:
    """Validation losses by epoch, or training losses where no rows were set aside; WebP, base64."""
    import matplotlib
    from matplotlib.figure import Figure

    from movierec.lessons import plots

    style: Any = plots.STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(7, 4))
        ax = figure.subplots()
        for number, (name, run) in enumerate(runs.items()):
            history, colour = run.history, plots.COLOURS[number]
            epochs = history["epoch"]
            ax.plot(
                epochs - 0.5, history["train_loss"], "o--", color=colour, label=f"{name}, training"
            )
            if history["val_loss"].notna().any():
                ax.plot(
                    epochs, history["val_loss"], "s-", color=colour, label=f"{name}, validation"
                )
        ax.set(xlabel="epoch", ylabel="mean squared error (stars²)")
        ax.grid(alpha=0.3)
        ax.legend()
        sink = io.BytesIO()
        figure.savefig(sink, format="png")
    return as_webp(base64.b64encode(sink.getvalue()).decode())


def _shown(value: Any, signed: bool = False) -> str:
    """A value as the page shows it."""
    if value is None:
        return "–"
    if not _is_number(value):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    sign = "+" if signed else ""
    if isinstance(value, int) or value == int(value):
        return format(int(value), f"{sign},")
    return format(value, f"{sign},.0f" if abs(value) >= 1000 else f"{sign}.4g")
