"""The papermill batch: runs the numbered notebooks in order and makes a report of them.

papermill and nbconvert are imported where they are used: every notebook imports this module for
`record`, and loading both takes longer than many a notebook runs.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from movierec import __version__
from movierec.datasets import NAMES
from movierec.errors import InputError, NotebookError
from movierec.files import alone, write_whole
from movierec.pages import (
    METRICS_MIME,
    NotebookReport,
    index_page,
    notebook_page,
    read_notebook,
    recorded,
    save_figures,
    title_and_question,
)
from movierec.recipes import Recipe, resolve_recipe
from movierec.runs import BEST, load_run

# A line an epoch: a live bar leaves screens of control characters in an executed notebook.
KERNEL_ENVIRONMENT = {"MOVIEREC_PROGRESS": "lines"}
RUNNING = ".running-"  # how the folder of a notebook under way is called
START_TIMEOUT = 300  # seconds until a kernel answers; the first start after an install is slow
OF_NETWORKS = ("02_shapes", "03_training")  # have nothing to say of a run without a network
PACKAGES = ("tensorflow", "keras", "numpy", "pandas")
BATCH_PARAMETERS = ("run_dir", "best_dir", "report_dir", "reuse")  # set by the batch itself


@dataclass(frozen=True)
class BatchResult:
    """A finished batch: its folder, its first page, and its notebooks in order."""

    out_dir: Path
    index: Path
    notebooks: tuple[NotebookReport, ...]


def record(**values: Any) -> None:
    """Hand figures of a notebook to the batch, which collects them in `metrics.json`.

    Args:
        values: Numbers, texts, or lists and dicts of them; NumPy numbers are welcome.

    Raises:
        TypeError: A value has no JSON form.
        ValueError: A number is NaN or infinite.

    Example:
        >>> record(rmse=0.894, rows=100_020)  # doctest: +SKIP
    """
    from IPython.display import display

    plain = json.loads(json.dumps(values, allow_nan=False, default=lambda value: value.tolist()))
    text = ", ".join(f"{name} = {value}" for name, value in plain.items())
    display({METRICS_MIME: plain, "text/plain": f"Recorded: {text}"}, raw=True)


def source_folder() -> Path:
    """The folder of movierec's own notebooks: in an installed package, or in the checkout."""
    package = Path(__file__).parent
    installed = package / "_notebooks"
    return installed if installed.is_dir() else package.parent / "notebooks"


def find_notebooks(source_dir: Path | None = None) -> list[Path]:
    """The numbered notebooks of a folder, in order.

    Args:
        source_dir: The folder; by default the notebooks that come with movierec.

    Raises:
        InputError: The folder has no numbered notebook.
    """
    source_dir = source_dir or source_folder()
    sources = sorted(Path(source_dir).glob("[0-9][0-9]_*.ipynb"))
    if not sources:
        raise InputError(f"{source_dir} holds no notebook named like 01_data.ipynb")
    return sources


def run_notebooks(
    out_dir: Path | str,
    parameters: dict[str, object] | None = None,
    source_dir: Path | None = None,
    progress: bool = True,
) -> BatchResult:
    """Run all notebooks and leave a report that can be read without a server.

    Writes `NAME.ipynb`, `NAME.html`, `figures/*.png`, `metrics.json` and `index.html`. What an
    earlier batch left under these names goes when the first notebook starts, so that a report
    never mixes two batches.

    Args:
        out_dir: Folder of the report. If it is a run folder (has `run.json`), the notebooks get
            it as their `run_dir`, with `reuse`; if not, they get `out_dir/model`, trained anew. In
            either case 04 and 05 get `out_dir/best` for recipe `best` on the same rows, unless the
            run folder is of that recipe: then they get it, and `OF_NETWORKS` are left out.
        parameters: Values by name, for those notebooks that declare the name in their
            `parameters` cell. Texts, as from a command line, are converted to the declared type.
        source_dir: Folder of the numbered notebooks; by default movierec's own.
        progress: Print a line for each notebook on standard error.

    Raises:
        InputError: No notebooks, an unknown parameter, or a value of the wrong kind; nothing has
            been started or removed then.
        NotebookError: A notebook failed. Its partly executed copy and page are kept, and the
            notebooks after it are not run.
    """
    out_dir = Path(out_dir).resolve()
    sources, note = find_notebooks(source_dir), ""
    if out_dir == sources[0].parent.resolve():
        raise InputError(f"{out_dir} holds the source notebooks; give another folder for reports")
    has_run = (out_dir / "run.json").exists()
    model_dir = out_dir if has_run else out_dir / "model"
    best_dir = out_dir / BEST
    if has_run and not (run := load_run(out_dir)).has_network:
        best_dir = out_dir
        left_out = [source.stem for source in sources if source.stem in OF_NETWORKS]
        sources = [source for source in sources if source.stem not in OF_NETWORKS]
        if left_out:
            note = (
                f"This run has no network (recipe {run.config['recipe']}). {' and '.join(left_out)}"
                " are about one, and were left out."
            )
    declared = {source: _declared_parameters(source) for source in sources}
    given = _checked_parameters(parameters or {}, declared)
    _check_data(parameters or {})
    for source, values in given.items():
        own = {
            "run_dir": str(model_dir),
            "best_dir": str(best_dir),
            "report_dir": str(out_dir),
            "reuse": has_run,
        }
        values.update({name: own[name] for name in own if name in declared[source]})

    with alone(out_dir):
        return _run(sources, given, declared, out_dir, progress, note)


def _run(
    sources: list[Path],
    given: dict[Path, dict[str, Any]],
    declared: dict[Path, dict[str, tuple[str, Any]]],
    out_dir: Path,
    progress: bool,
    note: str,
) -> BatchResult:
    """The batch, on a folder that no other process writes to."""
    _remove_earlier_report(out_dir, [source.stem for source in sources] + list(OF_NETWORKS))
    (out_dir / "figures").mkdir(parents=True, exist_ok=True)
    titles = {source: title_and_question(read_notebook(source))[0] for source in sources}
    reports = []
    for source in sources:
        if progress:
            print(f"{source.stem:<16}", end=" ", file=sys.stderr, flush=True)
        started = time.perf_counter()
        try:
            notebook, failure = _execute(source, given[source], out_dir / source.name)
        finally:
            seconds = time.perf_counter() - started
            if progress:
                print(f"{seconds:6.1f} s", file=sys.stderr)
        page = out_dir / f"{source.stem}.html"
        write_whole(page, notebook_page(notebook, source, titles))
        figures = save_figures(notebook, source.stem, out_dir)
        if failure is not None:
            raise NotebookError(source.stem, *failure, page)
        title, question = title_and_question(notebook)
        metrics = recorded(notebook)
        reports.append(
            NotebookReport(source.stem, title, question, round(seconds, 1), metrics, figures)
        )

    shown = {name: value for name, (_, value) in _defaults(declared).items()}
    for values in given.values():
        shown |= values
    shown = {name: shown[name] for name in sorted(shown) if name not in BATCH_PARAMETERS}
    versions = {"movierec": __version__, "python": platform.python_version()} | {
        package: _version(package) for package in PACKAGES
    }
    collected = {
        "notebooks": {r.name: {"seconds": r.seconds, "metrics": r.metrics} for r in reports},
        "parameters": shown,
        "versions": versions,
    }
    write_whole(out_dir / "metrics.json", json.dumps(collected, indent=2) + "\n")
    index = out_dir / "index.html"
    write_whole(index, index_page(reports, shown, versions, note))
    return BatchResult(out_dir, index, tuple(reports))


# ---- parameters: {source: {name: (kind, default)}} ----


def _declared_parameters(source: Path) -> dict[str, tuple[str, Any]]:
    """Kind and default by name, from the notebook's `parameters` cell."""
    import papermill

    notebook = read_notebook(source)
    notebook.metadata["language_info"] = {"name": "python"}  # a stripped notebook has none
    declared = {}
    for name, entry in papermill.inspect_notebook(notebook).items():
        try:
            default = ast.literal_eval(entry["default"])
        except ValueError:
            raise InputError(
                f"{source.name}: the default of parameter {name} is {entry['default']}; "
                "expected a plain number, text or True/False"
            ) from None
        kind = entry["inferred_type_name"]
        declared[name] = (type(default).__name__ if kind == "None" else kind, default)
    return declared


def _defaults(declared: dict[Path, dict[str, tuple[str, Any]]]) -> dict[str, tuple[str, Any]]:
    """The parameters of all notebooks; the first notebook that declares a name counts."""
    merged: dict[str, tuple[str, Any]] = {}
    for own in declared.values():
        merged = own | merged
    return merged


def _checked_parameters(
    parameters: dict[str, object], declared: dict[Path, dict[str, tuple[str, Any]]]
) -> dict[Path, dict[str, Any]]:
    """The converted values that each notebook gets."""
    known = sorted(set(_defaults(declared)) - set(BATCH_PARAMETERS))
    for name in parameters:
        if name in BATCH_PARAMETERS:
            raise InputError(f"parameter {name} is set by the batch; choose the folder of the run")
        if name not in known:
            near = difflib.get_close_matches(name, known)
            meant = f"; did you mean {' or '.join(near)}?" if near else "."
            raise InputError(
                f"no notebook has a parameter {name!r}{meant} Known: {', '.join(known) or 'none'}"
            )
    return {
        source: {
            name: _converted(name, value, own[name][0])
            for name, value in parameters.items()
            if name in own
        }
        for source, own in declared.items()
    }


def _converted(name: str, value: object, kind: str) -> Any:
    """The value as the declared kind; a text is read as a command line gives it."""
    refusal = InputError(f"parameter {name} was given as {value!r}; expected {_EXPECTED.get(kind)}")
    if kind not in _EXPECTED:
        raise InputError(f"parameter {name} is of kind {kind}, which the batch cannot set")
    if kind == "str":
        if isinstance(value, str | os.PathLike):
            return os.fspath(value)
        raise refusal
    if isinstance(value, str):
        try:
            value = (
                {"true": True, "false": False}[value.lower()]
                if kind == "bool"
                else (int(value) if kind == "int" else float(value))
            )
        except (KeyError, ValueError):
            raise refusal from None
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise refusal
    return value


_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number such as 12",
    "float": "a number such as 0.1",
    "str": "a text",
}


def _check_data(parameters: Mapping[str, object]) -> None:
    """Refuse data or a recipe that no notebook could use, before an earlier report is removed."""
    path, name = parameters.get("path"), parameters.get("data")
    if path and not Path(str(path)).exists():
        raise InputError(f"{path} does not exist; expected a folder or zip with the data")
    if name and not path and name not in NAMES:
        raise InputError(
            f"unknown data set {name!r}; expected one of {', '.join(NAMES)}, or your own data "
            "with --from PATH (in Python: path)"
        )
    if (recipe := parameters.get("recipe")) and not isinstance(resolve_recipe(str(recipe)), Recipe):
        raise InputError(
            f"got recipe {recipe!r}, which trains no network, but 03_training shows how one is "
            f"trained; expected classic or fast. 04 and 05 use {BEST} in any case. For a report on "
            f"that alone, train it with `movierec train --recipe {recipe} --run DIR`, then "
            "`movierec notebooks --run DIR`"
        )


# ---- running ----


def _execute(
    source: Path, values: dict[str, Any], target: Path
) -> tuple[Any, tuple[int | None, str, str] | None]:
    """Run one notebook into `target`; gives it back with cell, name and message of a failure."""
    import nbformat
    import papermill
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    # Only what Python prints belongs in a notebook. What libraries in C++ print, such as
    # TensorFlow's remarks on the processor, goes to a log, which is kept if the kernel dies.
    quiet = ["--IPKernelApp.capture_fd_output=False", "--IPKernelApp.log_level=ERROR"]

    class RunningPython(AsyncKernelManager):
        """The kernel of this interpreter, whatever kernelspec is registered as `python3`."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(
                resource_dir=RESOURCES, env=KERNEL_ENVIRONMENT, **get_kernel_dict(quiet)
            )

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(stderr=log, **options)

    failure: tuple[int | None, str, str] | None = None
    with tempfile.TemporaryDirectory(prefix=RUNNING, dir=target.parent) as folder:
        partial = Path(folder) / target.name
        log_path = partial.with_suffix(".log")
        with log_path.open("wb") as log:
            try:
                papermill.execute_notebook(
                    source,
                    partial,
                    parameters=values,
                    kernel_name="python3",
                    language="python",
                    kernel_manager_class=RunningPython,
                    start_timeout=START_TIMEOUT,
                    progress_bar=False,
                    log_output=False,
                )
            except PapermillExecutionError as error:
                failure = (error.exec_count, error.ename, error.evalue)
            except DeadKernelError as error:  # killed from outside, most often for want of memory
                failure = (None, "DeadKernelError", str(error))
        if failure is not None and failure[0] is None:
            os.replace(log_path, target.with_suffix(".log"))
        notebook = read_notebook(partial)
        notebook.metadata.papermill.update(input_path=source.name, output_path=target.name)
        partial.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
        os.replace(partial, target)
    return notebook, failure


def _remove_earlier_report(out_dir: Path, stems: list[str]) -> None:
    for left in out_dir.glob(f"{RUNNING}*"):
        shutil.rmtree(left)  # by a process that was killed
    for name in ("index.html", "metrics.json"):
        (out_dir / name).unlink(missing_ok=True)
    for stem in stems:
        for suffix in (".ipynb", ".html", ".log"):
            (out_dir / f"{stem}{suffix}").unlink(missing_ok=True)
        for figure in (out_dir / "figures").glob(f"{stem}_*.png"):
            figure.unlink()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
