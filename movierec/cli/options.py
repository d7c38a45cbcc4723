"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec.errors import printable

if TYPE_CHECKING:
    from movierec.runs import Run

# set to 1 before NumPy is loaded, where the cores are shared out otherwise
BLAS_THREADS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
PATH = click.Path(path_type=Path)
data_option = click.option("--data", metavar="NAME", default="sample", help="Data set; see `data`.")
from_option = click.option(
    "--from",
    "path",
    metavar="PATH",
    type=PATH,
    help="Folder or zip with the files of the data set.",
)


def run_option(text: str) -> Any:
    """The option `--run DIR`; what DIR is for differs from command to command."""
    return click.option("--run", "run_dir", metavar="DIR", type=PATH, help=text)


def out_option(metavar: str, text: str, required: bool = False) -> Any:
    """The option `--out`, with what is written there."""
    return click.option("--out", metavar=metavar, type=PATH, required=required, help=text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
k_option = click.option("-k", type=int, default=10, help="How many films.")


def open_run(path: Path | None) -> Run:
    """The run in a folder, or the newest one, which is then named on the standard error."""
    from movierec.runs import load_run, newest_run

    if path is not None:
        return load_run(path)
    run = newest_run()
    name = f"{run.path}, of data set {run.info['dataset']}"
    click.echo(f"movierec: the newest run, {printable(name)}", err=True)
    return run


RUN_TEXT = "Run folder; the newest below reports/ if not given."
# gives the command the run itself, as `run`
opened_run = click.option(
    "--run",
    metavar="DIR",
    type=PATH,
    callback=lambda context, option, path: open_run(path),
    help=RUN_TEXT,
)
