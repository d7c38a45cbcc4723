"""The command line as a whole.

Results go to the standard output (with `--json`, nothing else does); progress and messages go to
the standard error. Exit status 2 is bad input; 1 is a notebook that failed, or something that
`doctor` found to mend.
"""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import asdict
from typing import Any

import click

from movierec import __version__
from movierec.cli import films, reports, serving, training
from movierec.cli.options import json_option
from movierec.errors import InputError, NotebookError, WorkerLostError, printable


def main() -> None:
    """Run the command line, with bad input told in one message and exit status 2."""
    try:
        cli()
    except InputError as error:
        print(f"movierec: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # no fault of a path that was given
        print(
            f"movierec: {error}; check that the folder exists and may be written, and that its "
            "disk has space",
            file=sys.stderr,
        )
        sys.exit(2)
    except (NotebookError, WorkerLostError) as error:
        print(f"movierec: {error}", file=sys.stderr)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="movierec")
def cli() -> None:
    """Understand, train and use a deep movie recommender."""


for command in (
    training.data_command,
    training.train_command,
    training.evaluate_command,
    films.predict_command,
    films.recommend,
    reports.notebooks_command,
    reports.compare_command,
    serving.export_command,
    serving.app_command,
    serving.metadata_command,
):
    cli.add_command(command)


@cli.command("doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Say what is installed and found here, and what is missing.

    Ends with exit status 1 where something stands in the way.
    """
    from movierec.doctor import examine

    found = examine()
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print_findings(asdict(found))
    sys.exit(1 if found.problems else 0)


def _print_findings(found: dict[str, Any]) -> None:
    problems = found.pop("problems")
    found["packages"] = {k: v or "not installed" for k, v in found["packages"].items()}
    found["extras"] = {k: "installed" if v else "not installed" for k, v in found["extras"].items()}
    for name, value in found.items():
        heading = name.replace("_", " ")
        if isinstance(value, dict):
            lines = [f"{key} {entry}" for key, entry in value.items()]
        else:
            lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            print(f"{heading:<12} {'none' if line is None else line}")
            heading = ""
    for problem in problems:
        print(f"\nto mend: {problem}")
    if not problems:
        print("\nNothing stands in the way.")
