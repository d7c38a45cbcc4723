"""Runs the training notebook for each combination of some settings, and shows all side by side.

In the folder are `runs/SETTINGS/`, each the report of one combination with its run in `model`;
`sweep.json`, what all of them recorded; `index.html`, a table of it; and `figures/sweep.png`. A
combination whose report is there and still true is not run again.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import pandas as pd

from movierec.errors import InputError
from movierec.files import alone, is_earlier, write_whole
from movierec.reports.kernels import NotebookError
from movierec.reports.notebooks import find_notebooks, run_notebooks
from movierec.reports.pages import rendered
from movierec.reports.parameters import checked_parameters, declared_parameters
from movierec.reports.report import NotebookReport
from movierec.trust import check_within

PICTURE = "figures/sweep.png"
TABLE = "sweep.json"
NOTEBOOK = "03_training"
MEASURES = ("validation_loss", "training_loss")  # the first that is recorded is compared; less is
TOLD = ("seconds", "peak_memory_bytes", "metrics")  # of a `NotebookReport`, in `sweep.json`
MOST = 500  # combinations; more is a slip of the keyboard


class Combination(NamedTuple):
    """One combination of settings, and what came of it."""

    settings: dict[str, Any]  # by name
    folder: Path  # of its report
    fresh: bool = False  # whether that was there already
    report: NotebookReport | None = None  # None before the notebook ran, or if it failed
    failure: str = ""  # what stopped it

    @property
    def name(self) -> str:
        """The settings in words."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())

    @property
    def numbers(self) -> dict[str, float]:
        """What was recorded in numbers, and what it took; empty if it failed."""
        if self.report is None:
            return {}
        told = self.report.metrics.items()
        found = {k: v for k, v in told if isinstance(v, int | float) and not isinstance(v, bool)}
        memory = round(self.report.peak_memory_bytes / 2**20)
        return found | {"seconds": self.report.seconds, "peak memory (MiB)": memory}


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep."""

    out_dir: Path
    combinations: tuple[Combination, ...]  # in the order of the grid

    @property
    def index(self) -> Path:
        """Its page."""
        return self.out_dir / "index.html"


def parsed_grid(texts: Sequence[str]) -> dict[str, list[str]]:
    """Settings and their values from texts such as "epochs=1,2".

    Raises:
        InputError: a text that is not of this form, or a setting that is there twice.
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        name, _, listed = text.partition("=")
        values = [value.strip() for value in listed.split(",")]
        if not name.isidentifier() or not all(values) or "=" in listed or name in grid:
            raise InputError(
                f"got --grid {text!r}; expected a setting and its values, each setting once, "
                "such as learning_rate=1e-4,1e-3"
            )
        grid[name] = values
    return grid


def sweep(
    out_dir: Path | str,
    grid: Mapping[str, Sequence[object]],
    parameters: Mapping[str, object] | None = None,
    source_dir: Path | None = None,
    progress: bool = True,
    *,
    force: bool = False,
) -> SweepResult:
    """Run the training notebook for each combination of settings.

    A combination that fails is told with its reason, and keeps no other from being run.

    Args:
        out_dir: the folder.
        grid: the values of each setting, which is a parameter of the notebook.
        parameters: of all combinations.
        source_dir: folder of the numbered notebooks; by default movierec's own.
        progress: print a line for each combination on standard error.
        force: run all of them, even those that are there.

    Raises:
        InputError: nothing to sweep over, an unknown setting, a value of the wrong kind, or a
            folder of something else; nothing has been started then.
    """
    out_dir, fixed = Path(out_dir).resolve(), parameters or {}
    combinations = _combinations(out_dir, grid, fixed, source_dir)
    with alone(out_dir):
        for path in (out_dir / "figures", *(one.folder for one in combinations)):
            check_within(path, out_dir, "remove it, or name a new folder with --run")
        if not is_earlier(out_dir, TABLE, "of a sweep", "name a new folder with --run"):
            out_dir.mkdir(exist_ok=True)  # one that is not finished can be told, too
            write_whole(out_dir / TABLE, json.dumps({"grid": {}, "runs": []}) + "\n")
        for place, one in enumerate(combinations):
            given = {**fixed, **one.settings}
            try:
                made = run_notebooks(
                    one.folder, given, source_dir, progress=False, only=[NOTEBOOK], force=force
                )
                one = one._replace(fresh=made.fresh, report=made.notebooks[0])
            except NotebookError as error:
                one = one._replace(failure=error.failure)
            # a folder that another process writes to, a full disk, a kernel that does not answer
            except (InputError, OSError, RuntimeError) as error:
                one = one._replace(failure=f"{type(error).__name__}: {error}")
            combinations[place] = one
            if progress:
                print(_line(one, place + 1, len(combinations)), file=sys.stderr)
        return _report(out_dir, tuple(combinations))


def _combinations(
    out_dir: Path,
    grid: Mapping[str, Sequence[object]],
    parameters: Mapping[str, object],
    source_dir: Path | None,
) -> list[Combination]:
    """All combinations, each of which the notebook would take."""
    if not grid or not all(grid.values()):
        raise InputError("got no values to sweep over; expected some, such as epochs=1,2")
    [source] = (path for path in find_notebooks(source_dir) if path.stem == NOTEBOOK)
    if both := sorted(set(grid) & set(parameters)):
        raise InputError(f"{both[0]} is swept over and set as a parameter; leave out one of them")
    declared = {source: declared_parameters(source)}
    found: dict[Path, Combination] = {}
    for values in itertools.product(*grid.values()):
        given = dict(zip(grid, values, strict=True))
        [checked] = checked_parameters({**parameters, **given}, declared).values()
        settings = {name: checked[name] for name in grid}
        combination = Combination(settings, out_dir / "runs" / _folder_name(settings))
        if combination.folder in found:
            raise InputError(f"{combination.name} is there twice; give each value once")
        found[combination.folder] = combination
        if len(found) > MOST:
            raise InputError(f"got more than {MOST} combinations; sweep over fewer values")
    return list(found.values())


def _folder_name(settings: Mapping[str, Any]) -> str:
    """A name that every file system takes, one for each combination."""
    name = ",".join(f"{key}={value}" for key, value in settings.items())
    plain = re.sub(r"[^\w.,=+-]", "_", name)
    if plain == name and len(name) < 100:
        return name
    return f"{plain[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _line(finished: Combination, number: int, of: int) -> str:
    """One line on a combination that has ended."""
    told = finished.failure or "done before"
    if finished.report and not finished.fresh:
        told = "{seconds:.1f} s, {peak memory (MiB):,.0f} MiB".format(**finished.numbers)
    if measure := _measure([finished]):
        told += f", {measure.replace('_', ' ')} {finished.numbers[measure]:.4g}"
    return f"{number}/{of} {finished.name}: {told}"


def _measure(done: Sequence[Combination]) -> str | None:
    """By what combinations are compared; None if there is no such thing, or none of them."""
    return next((m for m in MEASURES if done and all(m in one.numbers for one in done)), None)


def _report(out_dir: Path, combinations: tuple[Combination, ...]) -> SweepResult:
    done = [one for one in combinations if one.report]
    measure = _measure(done)
    settings = [one.settings for one in combinations]
    grid = {name: list(dict.fromkeys(one[name] for one in settings)) for name in settings[0]}
    if measure:
        (out_dir / "figures").mkdir(exist_ok=True)
        write_whole(out_dir / PICTURE, _picture(done, measure))
    numbers = dict.fromkeys([measure] if measure else [])  # the one that is compared comes first
    numbers |= dict.fromkeys(name for one in done for name in one.numbers)
    page = rendered(
        "sweep.html.j2",
        grid=grid,
        numbers=list(numbers),
        combinations=combinations,
        notebook=NOTEBOOK,
        out_dir=out_dir,
        best=min(done, key=lambda one: one.numbers[measure]) if measure else None,
        measure=measure,
        picture=PICTURE,
    )
    runs = [
        {
            "settings": one.settings,
            "folder": one.folder.relative_to(out_dir).as_posix(),
            **{name: getattr(one.report, name, None) for name in TOLD},
            "failure": one.failure,
        }
        for one in combinations
    ]
    told = {"grid": grid, "notebook": NOTEBOOK, "compared_by": measure, "runs": runs}
    write_whole(out_dir / TABLE, json.dumps(told, indent=2) + "\n")
    result = SweepResult(out_dir, combinations)
    write_whole(result.index, page)  # last: what it leads to is there
    return result


def _picture(done: Sequence[Combination], measure: str) -> bytes:
    """The measure over the first setting, a line for each choice of the others, as PNG."""
    import matplotlib
    from matplotlib.figure import Figure

    from movierec.lessons.plots import STYLE, grouped_lines

    first, *others = done[0].settings
    lines: dict[str, dict[Any, float]] = {}
    for one in done:
        line = ", ".join(f"{name}={one.settings[name]}" for name in others) or "all"
        lines.setdefault(line, {})[one.settings[first]] = one.numbers[measure]
    table = pd.DataFrame(lines, index=list(dict.fromkeys(one.settings[first] for one in done)))
    sink = io.BytesIO()
    with matplotlib.rc_context(cast(Any, STYLE)):
        figure = Figure(figsize=(7, 4))
        ax = grouped_lines(table, figure.subplots(), first, measure.replace("_", " "))
        ax.legend().set_visible(bool(others))
        figure.savefig(sink, format="png")
    return sink.getvalue()
