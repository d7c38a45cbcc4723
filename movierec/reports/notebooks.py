"""The papermill batch: runs the numbered notebooks, two at a time, and makes a report of them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from movierec.errors import InputError
from movierec.files import alone, write_whole
from movierec.logs import logger
from movierec.reports import pages, report
from movierec.reports.kernels import AT_ONCE, Execution, Kernel, NotebookError, execute
from movierec.reports.parameters import checked_parameters, declared_parameters, settable, unknown
from movierec.runs import load_run
from movierec.trust import check_within

log = logger(__name__)

OF_NETWORKS = ("02_shapes", "03_training")  # have nothing to say of a run without a network
MADE = ("run_dir", "best_dir")  # parameters that name a run, which the first notebook makes
LOOKING = 0.2  # seconds between two looks at whether a run has come that a notebook waits for


class BatchResult(NamedTuple):
    """A finished batch."""

    out_dir: Path  # whose `index.html` is the first page
    notebooks: tuple[report.NotebookReport, ...]  # in order
    fresh: bool = False  # whether the folder held this very report, so that nothing was run


def source_folder() -> Path:
    """The folder of movierec's own notebooks: in an installed package, or in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_notebooks(source_dir: Path | None = None) -> list[Path]:
    """The numbered notebooks of a folder, by default movierec's own, in order.

    Raises:
        InputError: the folder has none.
    """
    source_dir = source_dir or source_folder()
    sources = sorted(Path(source_dir).glob("[0-9][0-9]_*.ipynb"))
    if not sources:
        raise InputError(f"{source_dir} holds no notebook named like 01_data.ipynb")
    return sources


class _Batch(NamedTuple):
    """What is to be run."""

    out_dir: Path  # of the report
    sources: list[Path]
    given: dict[Path, dict[str, Any]]  # the parameters of each
    shown: dict[str, Any]  # all parameters by name, without those that the batch sets
    run: Path | None  # the run folder that is reported on, if it was there before
    note: str  # a sentence for the first page


def run_notebooks(
    out_dir: Path | str,
    parameters: Mapping[str, object] | None = None,
    source_dir: Path | None = None,
    progress: bool = True,
    *,
    only: Sequence[str] = (),
    force: bool = False,
) -> BatchResult:
    """Run notebooks and leave a report that can be read without a server.

    Writes `NAME.ipynb`, `NAME.html`, `figures/*.png`, `metrics.json` and `index.html`. What an
    earlier batch left goes when the first notebook starts. If the folder holds the report of the
    same notebooks with the same parameters, on the same data, by the same code and versions, and
    nobody has changed its files, nothing is run.

    Args:
        out_dir: Folder of the report. If it is a run folder (has `run.json`), the notebooks get
            it as their `run_dir`, with `reuse`; if not, they get `out_dir/model`, trained anew. In
            either case 04 gets `out_dir/best` for recipe `best` on the same rows, unless the
            run folder is of that recipe: then it gets that, and `OF_NETWORKS` are left out.
        parameters: Values by name, for those notebooks that declare the name in their
            `parameters` cell. Texts, as from a command line, are converted to the declared type.
        source_dir: Folder of the numbered notebooks; by default movierec's own.
        progress: Print what is run on standard error.
        only: Names of notebooks, such as "03_training"; all if empty.
        force: Run them even if the report is there.

    Raises:
        InputError: No notebooks, an unknown notebook or parameter, or a value of the wrong kind;
            nothing has been started or removed then.
        NotebookError: A notebook failed. Its partly executed copy and page are kept; one that is
            under way beside it comes to its end, and no other is begun.
    """
    batch = _planned(Path(out_dir).resolve(), parameters or {}, source_dir, only)
    with alone(batch.out_dir):
        origin = report.made_from(batch.sources, batch.shown, batch.run)
        stale = "it was asked for" if force else report.what_changed(batch.out_dir, origin)
        if stale is None and (left := report.read_report(batch.out_dir)):
            log.info("%s is the report of the same inputs already", batch.out_dir)
            return BatchResult(batch.out_dir, tuple(left.notebooks.values()), fresh=True)
        if progress and (batch.out_dir / report.METRICS).exists():
            print(f"The report is made anew: {stale}.", file=sys.stderr)
        return _run(batch, origin, progress)


def _planned(
    out_dir: Path, parameters: Mapping[str, object], source_dir: Path | None, only: Sequence[str]
) -> _Batch:
    """Check everything that can be checked before anything is started or removed."""
    sources, note = find_notebooks(source_dir), ""
    if out_dir == sources[0].parent.resolve():
        raise InputError(f"{out_dir} holds the source notebooks; give another folder for reports")
    for name in ("figures", "model", report.BEST):
        check_within(out_dir / name, out_dir, "remove it, or name another folder for the report")
    names = [source.stem for source in sources]
    if stray := [name for name in only if name not in names]:
        raise unknown("notebook is called", stray[0], names)
    sources = [source for source in sources if source.stem in (only or names)]
    run = load_run(out_dir) if (out_dir / "run.json").exists() else None
    own = {
        "run_dir": str(out_dir if run else out_dir / "model"),
        "best_dir": str(out_dir / report.BEST),
        "reuse": run is not None,
    }
    if run and "network" not in run.config:
        own["best_dir"] = str(out_dir)
        left_out = " and ".join(source.stem for source in sources if source.stem in OF_NETWORKS)
        sources = [source for source in sources if source.stem not in OF_NETWORKS]
        if not sources:
            raise InputError(
                f"{out_dir} is a run without a network, which {left_out} are about; name other "
                "notebooks, or a run of recipe classic or fast"
            )
        if left_out:
            note = (
                f"This run has no network (recipe {run.config['recipe']}). {left_out} are about "
                "one, and were left out."
            )
    declared = {source: declared_parameters(source) for source in sources}
    given = checked_parameters(parameters, declared)
    shown = {name: parameter.default for name, parameter in settable(declared).items()}
    for source, values in given.items():
        shown |= values
        values |= {name: own[name] for name in own if name in declared[source]}
    return _Batch(out_dir, sources, given, shown, out_dir if run else None, note)


def _run(batch: _Batch, origin: dict[str, Any], progress: bool) -> BatchResult:
    """The batch, on a folder that no other process writes to."""
    out_dir = batch.out_dir
    _remove_earlier_report(out_dir, batch.sources)
    (out_dir / "figures").mkdir(parents=True, exist_ok=True)
    read = {source.stem: nbformat.read(source, as_version=4) for source in batch.sources}
    titles = {name: pages.title_and_question(one)[0] or name for name, one in read.items()}
    told: dict[str, report.NotebookReport] = {}
    failures: dict[str, NotebookError] = {}
    for name, done in _executed(batch, progress):
        read[name] = done.notebook
        page = out_dir / f"{name}.html"
        write_whole(page, pages.notebook_page(done.notebook, name, titles))
        if progress:
            took = f"{done.seconds:6.1f} s {done.peak_memory / 2**20:7,.0f} MiB"
            print(f"{name:16} {took}", file=sys.stderr)
        if done.failure:
            failures[name] = NotebookError(name, done, page)
        title, question = pages.title_and_question(done.notebook)
        before, minutes = pages.needs_and_minutes(done.notebook)
        figures, cover = pages.save_figures(done.notebook, name, out_dir)
        told[name] = report.NotebookReport(
            name=name,
            title=title,
            question=question,
            before=before,
            minutes=minutes,
            seconds=round(done.seconds, 1),
            peak_memory_bytes=done.peak_memory,
            metrics=pages.recorded(done.notebook),
            figures=figures,
            cover=cover,
        )
    if failures:
        raise failures[min(failures)]
    reports = {name: told[name] for name in read}
    write_whole(out_dir / report.SEARCH, pages.search_script(read))
    first = pages.index_page(reports, batch.shown, origin["versions"], batch.note).encode()
    if origin["data"] is None:  # it may have been downloaded meanwhile
        origin = report.made_from(batch.sources, batch.shown, batch.run)
    files = report.contents(out_dir, reports, first)
    whole = report.Report(notebooks=reports, made_from=origin, files=files)
    write_whole(out_dir / report.METRICS, whole.model_dump_json(indent=2) + "\n")
    write_whole(out_dir / report.FIRST, first)  # last: where it is, the report is whole
    return BatchResult(out_dir, tuple(reports.values()))


def _executed(batch: _Batch, progress: bool) -> Iterator[tuple[str, Execution]]:
    """Run the notebooks, and give each as it ends; none is begun once one of them has failed.

    A notebook waits for the runs that it names until they are there, or their makers have ended: of
    each the first notebook that names it. Whatever ends this function ends the kernels under way.
    """
    began, ended, stopped = time.time(), set[Path](), threading.Event()
    to_make = MADE[batch.run is not None :]
    makers = {name: s for s in batch.sources[::-1] for name in to_make if name in batch.given[s]}
    kernels = {source: Kernel() for source in batch.sources}

    def made(name: str, source: Path) -> bool:
        file = Path(batch.given[source][name], "run.json")
        return makers[name] in ended or (file.exists() and file.stat().st_mtime > began)

    def waits(source: Path) -> bool:
        others = [name for name in makers if name in batch.given[source] and makers[name] != source]
        return not all(made(name, source) for name in others)

    def run(source: Path) -> Execution | None:
        while waits(source) and not stopped.wait(LOOKING):
            pass
        if stopped.is_set():
            return None
        if progress:
            print(source.stem, file=sys.stderr)
        done, target = None, batch.out_dir / source.name
        try:
            done = execute(source, batch.given[source], target, kernels[source])
        finally:
            ended.add(source)
            if done is None or done.failure:
                stopped.set()
        return done

    # what others wait for comes first, and what waits comes last
    order = sorted(batch.sources, key=lambda each: (waits(each), each not in makers.values()))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        under_way = {pool.submit(run, source): source.stem for source in order}
        try:
            for future in as_completed(under_way):
                if done := future.result():
                    yield under_way[future], done
        finally:
            stopped.set()
            for kernel in kernels.values():
                kernel.ended.set()


def _remove_earlier_report(out_dir: Path, sources: list[Path]) -> None:
    """Remove what earlier batches made, of these notebooks and of others that they name."""
    stems = {*OF_NETWORKS, *(source.stem for source in sources)}
    with suppress(InputError):  # what cannot be read names none
        if left := report.read_report(out_dir):
            stems |= {name for name in left.notebooks if pages.NUMBERED.fullmatch(name)}
    for name in (report.FIRST, report.SEARCH, report.METRICS):
        (out_dir / name).unlink(missing_ok=True)
    for stem in stems:
        for file in (f"{stem}.ipynb", f"{stem}.html", f"{stem}.log", f"figures/{stem}_*"):
            for left_over in out_dir.glob(file):
                left_over.unlink()
