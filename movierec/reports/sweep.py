"""Runs the training notebook for each combination of some settings, and shows all side by side.

| in the folder | what it is |
| --- | --- |
| `runs/SETTINGS/` | the report of one combination, with its run folder in `model` |
| `metrics.json` | all combinations, with what their notebooks recorded |
| `figures/sweep.png` | the measure that is compared, and the seconds, over the settings |
| `index.html` | table and picture |

A combination whose report is there and still true is not run again, so that a sweep that was
interrupted, started again, goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from movierec.errors import InputError, NotebookError
from movierec.files import alone, write_whole
from movierec.reports.kernels import all_stopped
from movierec.reports.notebooks import find_notebooks, run_notebooks
from movierec.reports.pages import rendered
from movierec.reports.parameters import check_data, checked_parameters, declared_parameters
from movierec.trust import check_within

METRICS, PICTURE = "metrics.json", "figures/sweep.png"
NOTEBOOK = "03_training"
MEASURES = ("validation_loss", "training_loss")  # the first that is recorded is compared; less is
SPARE = 2**30  # bytes of memory that are left to everything else
MOST = 500  # combinations; more is a slip of the keyboard


@dataclass(frozen=True)
class Combination:
    """One combination of settings, and what came of it.

    Attributes:
        settings: by name.
        folder: of its report.
        fresh: whether it was there already.
        metrics: what the notebook recorded; empty if it failed.
        seconds: of the notebook.
        peak_memory: bytes, of its kernel.
        failure: what stopped it, or "".
    """

    settings: dict[str, Any]
    folder: Path
    fresh: bool = False
    metrics: Mapping[str, Any] | None = None
    seconds: float | None = None
    peak_memory: int | None = None
    failure: str = ""

    @property
    def name(self) -> str:
        """The settings in words."""
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its folder, its page, its combinations in the order of the grid."""

    out_dir: Path
    index: Path
    combinations: tuple[Combination, ...]
    measure: str | None  # by which they are compared


def parsed_grid(texts: Sequence[str]) -> dict[str, list[str]]:
    """Settings and their values from texts such as "epochs=1,2" or "epochs=1,2,seed=0,1".

    Raises:
        InputError: a text that is not of this form, or a setting that is there twice.
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        name = None
        for part in text.split(","):
            before, equals, value = part.partition("=")
            if equals:
                name, value = before.strip(), value
                if not name or name in grid:
                    raise InputError(
                        f"got --grid {text!r}; expected each setting once, with a name"
                    )
                grid[name] = []
            else:
                value = before
            if name is None or not value.strip():
                raise InputError(
                    f"got --grid {text!r}; expected a setting and its values, such as "
                    "learning_rate=1e-4,1e-3"
                )
            grid[name].append(value.strip())
    return grid


def sweep(
    out_dir: Path | str,
    grid: Mapping[str, Sequence[object]],
    parameters: Mapping[str, object] | None = None,
    source_dir: Path | None = None,
    progress: bool = True,
    *,
    notebook: str = NOTEBOOK,
    jobs: int | None = None,
    force: bool = False,
) -> SweepResult:
    """Run a notebook for each combination of settings.

    Args:
        out_dir: the folder.
        grid: the values of each setting, which is a parameter of the notebook.
        parameters: of all combinations.
        source_dir: folder of the numbered notebooks; by default movierec's own.
        progress: print a line for each combination on standard error.
        notebook: its name.
        jobs: how many are run at once. By default one for each core, as far as the memory reaches
            for what the first of them took.
        force: run all of them, even those that are there.

    Returns:
        What came out. A combination that failed is told with its reason, and keeps no other from
        being run.

    Raises:
        InputError: nothing to sweep over, an unknown setting, a value of the wrong kind, or a
            folder of something else; nothing has been started then.
    """
    out_dir = Path(out_dir).resolve()
    if jobs is not None and jobs < 1:
        raise InputError(f"got {jobs} jobs; expected 1 or more")
    combinations = _combinations(out_dir, grid, parameters or {}, source_dir, notebook)
    with alone(out_dir):
        _check_folder(out_dir, combinations)
        out_dir.mkdir(exist_ok=True)
        if not (out_dir / METRICS).exists():  # a folder that is not finished can be told, too
            write_whole(out_dir / METRICS, json.dumps({"grid": {}, "runs": []}) + "\n")

        def run(combination: Combination) -> Combination:
            return _run(combination, parameters or {}, source_dir, notebook, force)

        done = {}
        for finished in _at_once(combinations, run, jobs):
            done[finished.folder] = finished
            if progress:
                print(_line(finished, len(done), len(combinations)), file=sys.stderr)
        ordered = tuple(done[combination.folder] for combination in combinations)
        return _report(out_dir, ordered, notebook)


def _combinations(
    out_dir: Path,
    grid: Mapping[str, Sequence[object]],
    parameters: Mapping[str, object],
    source_dir: Path | None,
    notebook: str,
) -> list[Combination]:
    """All combinations, each of which the notebook would take."""
    if not grid or not all(grid.values()):
        raise InputError("got no values to sweep over; expected some, such as epochs=1,2")
    sources = {source.stem: source for source in find_notebooks(source_dir)}
    if notebook not in sources:
        raise InputError(f"no notebook is called {notebook!r}; known: {', '.join(sources)}")
    if both := sorted(set(grid) & set(parameters)):
        raise InputError(f"{both[0]} is swept over and set as a parameter; leave out one of them")
    declared = {sources[notebook]: declared_parameters(sources[notebook])}
    found: dict[Path, Combination] = {}
    for values in itertools.product(*grid.values()):
        given = dict(zip(grid, values, strict=True))
        [settings] = checked_parameters(given, declared).values()
        checked_parameters({**parameters, **given}, declared)
        check_data({**parameters, **settings})
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


def _check_folder(out_dir: Path, combinations: Sequence[Combination]) -> None:
    """Refuse a folder that holds something else than a sweep, or a link to somewhere else."""
    for path in (out_dir / "figures", *(combination.folder for combination in combinations)):
        check_within(path, out_dir, "remove it, or name a new folder with --run")
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return
    refusal = InputError(f"{out_dir} exists and is not of a sweep; name a new folder with --run")
    if not (out_dir / METRICS).is_file():  # a pipe would be waited for
        raise refusal
    try:
        json.loads((out_dir / METRICS).read_text("utf-8"))["grid"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refusal from error


def _run(
    combination: Combination,
    parameters: Mapping[str, object],
    source_dir: Path | None,
    notebook: str,
    force: bool,
) -> Combination:
    """Make the report of one combination."""
    given = {**parameters, **combination.settings}
    settings, folder = combination.settings, combination.folder
    try:
        result = run_notebooks(
            folder, given, source_dir, progress=False, only=[notebook], force=force
        )
    except NotebookError as error:
        return Combination(settings, folder, failure=f"{error.ename}: {error.evalue}")
    # a folder that another process writes to, a full disk, a kernel that does not answer
    except (InputError, OSError, RuntimeError) as error:
        return Combination(settings, folder, failure=f"{type(error).__name__}: {error}")
    [report] = result.notebooks
    return Combination(
        settings, folder, result.fresh, report.metrics, report.seconds, report.peak_memory
    )


def _at_once(
    combinations: Sequence[Combination],
    run: Callable[[Combination], Combination],
    jobs: int | None,
) -> Iterator[Combination]:
    """What `run` gives for each, in the order in which they end.

    Each waits in a thread for a kernel, which is a process of its own.
    """
    from jupyter_core.utils import ensure_event_loop

    def in_a_thread(combination: Combination) -> Combination:
        try:
            return run(combination)
        finally:
            ensure_event_loop().close()  # Jupyter gives each thread one, and never closes it

    waiting, pending = list(combinations), set[Future[Combination]]()
    peak = 0  # bytes that the largest so far took; 0 before one was measured
    free = 0  # bytes that were available when none of them ran: a kernel takes its share late
    with ThreadPoolExecutor(max_workers=jobs or os.cpu_count() or 1) as pool:
        try:
            while waiting or pending:
                if not pending:
                    free = _available()
                while waiting and len(pending) < (jobs or _room(peak, free)):
                    pending.add(pool.submit(in_a_thread, waiting.pop(0)))
                ended, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in ended:
                    finished = future.result()
                    peak = max(peak, finished.peak_memory or 0)
                    yield finished
        except BaseException:  # an interrupt, most often: no kernel is left to run on
            with all_stopped():
                pool.shutdown(cancel_futures=True)
            raise


def _available() -> int:
    """Bytes of memory that can be had."""
    import psutil

    return int(psutil.virtual_memory().available)


def _room(peak: int, free: int) -> int:
    """How many may run at once, if each takes `peak` of the `free` bytes."""
    if not peak:
        return 1  # until it is known what one takes
    return max(1, min(os.cpu_count() or 1, (free - SPARE) // peak))


def _line(finished: Combination, number: int, of: int) -> str:
    """One line on a combination that has ended."""
    if finished.failure:
        told = finished.failure
    elif finished.fresh:
        told = "done before"
    else:
        told = f"{finished.seconds:.1f} s, {(finished.peak_memory or 0) / 2**20:,.0f} MiB"
    measure = _measure([finished])
    if finished.metrics and measure:
        told += f", {measure.replace('_', ' ')} {finished.metrics[measure]:.4g}"
    return f"{number}/{of} {finished.name}: {told}"


# ---- the report ----


def _measure(combinations: Sequence[Combination]) -> str | None:
    """By what the combinations are compared: what most trainings tell, or the first number."""
    recorded = [c.metrics for c in combinations if c.metrics]
    if not recorded:
        return None
    numbers = [
        name
        for name in recorded[0]
        if all(isinstance(metrics.get(name), int | float) for metrics in recorded)
    ]
    return next((name for name in (*MEASURES, *numbers) if name in numbers), None)


def _table(combinations: Sequence[Combination]) -> pd.DataFrame:
    """A row a combination: its settings, what was recorded in numbers, seconds and memory."""
    rows = []
    for one in combinations:
        numbers = {k: v for k, v in (one.metrics or {}).items() if isinstance(v, int | float)}
        memory = None if one.peak_memory is None else round(one.peak_memory / 2**20)
        took = {"seconds": one.seconds, "peak memory (MiB)": memory}
        rows.append({**one.settings, **numbers, **took})
    return pd.DataFrame(rows)


def _report(out_dir: Path, combinations: tuple[Combination, ...], notebook: str) -> SweepResult:
    measure = _measure(combinations)
    grid: dict[str, list[Any]] = {}
    for one in combinations:
        for name, value in one.settings.items():
            grid[name] = list(dict.fromkeys([*grid.get(name, []), value]))
    runs = [
        {
            "settings": one.settings,
            "folder": one.folder.relative_to(out_dir).as_posix(),
            "seconds": one.seconds,
            "peak_memory_bytes": one.peak_memory,
            "metrics": one.metrics,
            "failure": one.failure or None,
        }
        for one in combinations
    ]
    if measure:
        picture = _picture(_table(combinations), list(grid), measure)
        (out_dir / "figures").mkdir(exist_ok=True)
        write_whole(out_dir / PICTURE, picture)
    told = {"grid": grid, "notebook": notebook, "compared_by": measure, "runs": runs}
    index = out_dir / "index.html"
    write_whole(index, _page(out_dir, combinations, grid, measure, notebook))
    write_whole(out_dir / METRICS, json.dumps(told, indent=2) + "\n")
    return SweepResult(out_dir, index, combinations, measure)


def _picture(table: pd.DataFrame, settings: list[str], measure: str) -> bytes:
    """The measure and the seconds over the first setting, a line for each choice of the others."""
    import matplotlib
    from matplotlib.figure import Figure

    from movierec.lessons import plots

    first, *others = settings
    lines = (
        table[others].astype(str).apply(lambda row: ", ".join(row.index + "=" + row), axis=1)
        if others
        else pd.Series("all", table.index)
    )
    style: Any = plots.STYLE
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(10, 4))
        for ax, (column, unit) in zip(
            figure.subplots(1, 2), ((measure, ""), ("seconds", " of the notebook")), strict=True
        ):
            shown = table.assign(line=lines).pivot(index=first, columns="line", values=column)
            shown = shown.reindex(index=table[first].unique(), columns=lines.unique())
            plots.grouped_lines(shown, ax, first, column.replace("_", " ") + unit)
            if not others:
                ax.get_legend().remove()
        sink = io.BytesIO()
        figure.savefig(sink, format="png")
    return sink.getvalue()


def _page(
    out_dir: Path,
    combinations: Sequence[Combination],
    grid: Mapping[str, Sequence[Any]],
    measure: str | None,
    notebook: str,
) -> str:
    best = None
    if measure in MEASURES:
        done = [one for one in combinations if one.metrics]
        best = min(done, key=lambda one: (one.metrics or {})[measure])
    numbers = [column for column in _table(combinations) if column not in grid]
    numbers.sort(key=lambda name: name != measure)  # which comes first
    rows = [
        {
            "settings": list(one.settings.values()),
            "numbers": [_shown(_row(one).get(name)) for name in numbers],
            "failure": one.failure,
            "page": _page_of(one, out_dir, notebook),
            "best": one is best,
        }
        for one in combinations
    ]
    return rendered(
        "sweep.html.j2",
        grid=grid,
        numbers=[name.replace("_", " ") for name in numbers],
        rows=rows,
        notebook=notebook,
        best=best,
        measure=measure,
        picture=PICTURE if measure else None,
    )


def _row(one: Combination) -> dict[str, Any]:
    return {str(name): value for name, value in _table([one]).iloc[0].to_dict().items()}


def _page_of(one: Combination, out_dir: Path, notebook: str) -> str | None:
    page = one.folder / f"{notebook}.html"
    return page.relative_to(out_dir).as_posix() if page.exists() else None


def _shown(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if math.isinf(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"
