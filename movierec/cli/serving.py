"""The commands that let others use a run: predictions, exports, the page and its posters."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from movierec.cli import options
from movierec.cli.printing import print_facts, tell

if TYPE_CHECKING:
    from movierec.runs import Run

FORMATS = click.Choice(["parquet", "savedmodel", "onnx"])


@click.command("predict")
@click.argument("pairs", metavar="PAIRS.csv", type=options.PATH)
@options.opened_run
@click.option("--std", is_flag=True, help="Also by how much a rating may be off: std, in stars.")
@options.path_option("--out", "FILE", "Where to write, in place of the standard output.")
@options.json_option
def predict_command(run: Run, pairs: Path, std: bool, out: Path | None, as_json: bool) -> None:
    """Add a predicted rating to each user and film of a CSV file."""
    from movierec.files import write_whole
    from movierec.serving.predictions import predict_file

    rated = predict_file(run.recommender, pairs, std)
    text = rated.to_csv(index=False, lineterminator="\n")
    if as_json:
        text = rated.to_json(orient="records", indent=2, force_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text)


@click.command("export")
@options.opened_run
@options.path_option("--out", "DIR", "Where to write; a new folder.", required=True)
@click.option(
    "--format", "formats", type=FORMATS, multiple=True, help="Repeatable; all if omitted."
)
@options.json_option
def export_command(run: Run, out: Path, formats: tuple[str, ...], as_json: bool) -> None:
    """Write a run for use without movierec.

    Vectors become Parquet, and functions SavedModel and ONNX. The functions are the towers of a
    network, and the best films of a user or a vector, with films to leave out and k given at each
    call. export.json in DIR names them. ONNX needs the extra `export`.
    """
    from movierec.serving.export import export

    told = export(run, out, formats or tuple(FORMATS.choices))
    names = {key: ", ".join(told.get(key, [])) or None for key in ("formats", "functions")}
    print_facts({"out": str(out)} | names, as_json)


@click.command("app")
@options.path_option("--run run_dir", "DIR", options.RUN_TEXT)
@click.option("--ip", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8866, help="Port to listen on; 0: a free one.")
@click.option("--host", "hosts", multiple=True, help="A further name of the page; repeatable.")
@click.option("--workers", type=int, help="Processes that answer; if not given one a core, to 8.")
def app_command(run_dir: Path | None, ip: str, **settings: Any) -> None:
    """Serve the explorer as a page.

    Its answers are there as JSON too, under /api/v1/; /api/openapi.json describes them. It is
    reached from this machine only, unless --ip says otherwise: the page asks nobody who they are.
    """
    # before NumPy is loaded: workers share the cores, and one person's list gains by no threads;
    # and no huge pages: the system goes on to make some for hours, each once for every worker
    pages = {"NUMPY_MADVISE_HUGEPAGE": "0", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    os.environ |= dict.fromkeys(options.BLAS_THREADS, "1") | pages
    from movierec.page.serve import is_loopback, serve
    from movierec.posters.metadata import provider

    opened = options.open_run(run_dir)
    if (posters := provider()) is not None:  # what is wrong there is told here
        tell(f"posters and titles are asked of TMDB, in {posters.language}")
    if not is_loopback(ip):
        tell(
            f"everybody who can reach {ip} can use the page, and what they send can be read on "
            "the way; docs/explorer.md tells how to put a proxy with a login before it"
        )
    serve(opened, ip=ip, **settings)
