"""The commands that report: by notebooks, and on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from movierec.cli import options
from movierec.cli.printing import interruptible, print_facts, print_json, tell
from movierec.errors import InputError


def _pairs(_: click.Context, option: click.Parameter, given: tuple[tuple[str, str], ...]) -> Any:
    """`-p epochs=3` would take the next word for the value, and leave its own to be a riddle."""
    for name, value in given:
        if not name.isidentifier() or value.startswith("--"):
            raise InputError(
                f"got -p {name!r} {value!r}; expected a name and a value, such as -p epochs 3"
            )
    return given


@click.command("notebooks")
@options.data_option
@options.from_option
@options.path_option("--run run_dir", "DIR", "Report folder; reports/NAME if not given.")
@click.option(
    "-p",
    "given",
    metavar="NAME VALUE",
    type=(str, str),
    multiple=True,
    callback=_pairs,
    help="A notebook parameter; may be repeated. --parameters lists them.",
)
@click.option("--only", metavar="NOTEBOOK", multiple=True, help="Such as 03_training; repeatable.")
@click.option("--force", is_flag=True, help="Run them even if the report is there and still true.")
@click.option("--parameters", is_flag=True, help="List the parameters, and do no more.")
@click.option("--grid", metavar="NAME=V1,V2", multiple=True, help="Train for each; repeatable.")
@options.json_option
def notebooks_command(
    data: str, path: Path | None, run_dir: Path | None, as_json: bool, **asked: Any
) -> None:
    """Run all notebooks through papermill and leave a report as HTML.

    If DIR is a run folder that `movierec train` made, the notebooks report on that run; otherwise
    03_training trains one into DIR/model. Where DIR holds the very report that would come out (the
    same notebooks, parameters, data, code and versions), nothing is run.

    With --grid, 03_training alone is run for each combination of values, and DIR holds a table and
    a picture of all. The same command goes on with what is missing.
    """
    from movierec.paths import reports_dir
    from movierec.reports.notebooks import find_notebooks, run_notebooks
    from movierec.reports.parameters import declared_parameters, settable
    from movierec.reports.sweep import parsed_grid, sweep

    only, grid, force = asked["only"], asked["grid"], asked["force"]
    if asked["parameters"]:
        known = settable({source: declared_parameters(source) for source in find_notebooks()})
        if as_json:
            print_json({name: parameter._asdict() for name, parameter in known.items()})
            return
        for name, (kind, default, meaning) in known.items():
            print(f"{name + ': ' + kind:<20} {meaning} [{default!r}]")
        return
    settings: dict[str, object] = {"data": data, "path": str(path.absolute()) if path else ""}
    settings |= dict(asked["given"])
    if grid and only:
        raise InputError("got --grid with --only; a sweep runs the training notebook")
    if grid:
        with interruptible():
            out_dir = run_dir or reports_dir() / f"{data}-sweep"
            swept = sweep(out_dir, parsed_grid(grid), settings, force=force)
        if as_json:
            print((swept.out_dir / "sweep.json").read_text("utf-8"), end="")
        else:
            print(f"The sweep is in {swept.out_dir}; open {swept.index}")
        if failed := [one.name for one in swept.combinations if one.failure]:
            tell(f"{len(failed)} failed: {'; '.join(failed)}")
        sys.exit(1 if failed else 0)
    result = run_notebooks(run_dir or reports_dir() / data, settings, only=only, force=force)
    index = result.out_dir / "index.html"
    if result.fresh:
        tell("nothing has changed since this report was made; --force runs it")
    if as_json:
        facts = {"report": str(result.out_dir), "index": str(index)}
        print_json(facts | {n.name: n.metrics for n in result.notebooks})
    else:
        print(f"The report is in {result.out_dir}; begin with {index}")


@click.command("doctor")
@options.json_option
def doctor_command(as_json: bool) -> None:
    """Say what is installed and found here, and what is missing.

    Ends with exit status 1 where something stands in the way.
    """
    from movierec.doctor import examine

    found = examine()
    problems = found["problems"]
    if as_json:
        print_json(found)
    else:
        del found["problems"]
        for kind in ("packages", "extras"):
            there = {k: "installed" if v is True else v for k, v in found[kind].items()}
            found[kind] = {k: v or "not installed" for k, v in there.items()}
        print_facts(found, as_json)
        mends = [f"to mend: {problem}" for problem in problems]
        print(*mends or ["Nothing stands in the way."], sep="\n\n")
    sys.exit(1 if problems else 0)
