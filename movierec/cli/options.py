"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec.cli.printing import tell

if TYPE_CHECKING:
    from movierec.runs import Run

# set to 1 before NumPy is loaded, where the cores are shared out otherwise
BLAS_THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
PATH = click.Path(path_type=Path)


def path_option(names: str, metavar: str, text: str, **settings: Any) -> Any:
    """An option that takes a path, by its name, or that and the parameter's."""
    return click.option(*names.split(), metavar=metavar, type=PATH, help=text, **settings)


data_option = click.option("--data", metavar="NAME", default="sample", help="Data set; see `data`.")
from_option = path_option("--from path", "PATH", "Folder or zip with the files of the data set.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
workers_option = click.option("--workers", default=1, help="Processes on this machine.")
scheduler_option = click.option("--scheduler", metavar="ADDRESS", help="A Dask cluster instead.")
k_option = click.option("-k", type=int, default=10, help="How many films.")


def open_run(path: Path | None) -> Run:
    """The run in a folder, or the newest one, which is then named on the standard error."""
    from movierec.runs import load_run, newest_run

    if path is not None:
        return load_run(path)
    run = newest_run()
    tell(f"the newest run, {run.path}, of data set {run.info['dataset']}")
    return run


RUN_TEXT = "Run folder; the newest below reports/ if not given."
# gives the command the run itself, as `run`
opened_run = path_option("--run", "DIR", RUN_TEXT, callback=lambda _, option, path: open_run(path))
