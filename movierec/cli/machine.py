"""The command that looks at this machine."""

from __future__ import annotations

import sys

import click

from movierec.cli import options
from movierec.cli.printing import print_facts, print_json


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
        found["extras"] = {k: "installed" if v else "" for k, v in found["extras"].items()}
        for kind in ("packages", "extras"):
            found[kind] = {k: v or "not installed" for k, v in found[kind].items()}
        print_facts(found, as_json)
        mends = [f"to mend: {problem}" for problem in problems]
        print(*mends or ["Nothing stands in the way."], sep="\n\n")
    sys.exit(1 if problems else 0)
