"""The command that looks at this machine."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from movierec.cli.options import json_option
from movierec.cli.printing import print_json


@click.command("doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Say what is installed and found here, and what is missing.

    Ends with exit status 1 where something stands in the way.
    """
    from movierec.doctor import examine

    found = asdict(examine())
    if as_json:
        print_json(found)
    else:
        _print_findings(found)
    sys.exit(1 if found["problems"] else 0)


def _print_findings(found: dict[str, Any]) -> None:
    shown = {name: value for name, value in found.items() if name != "problems"}
    shown["packages"] = {k: v or "not installed" for k, v in found["packages"].items()}
    shown["extras"] = {k: "installed" if v else "not installed" for k, v in found["extras"].items()}
    for name, value in shown.items():
        heading = name.replace("_", " ")
        if isinstance(value, dict):
            lines = [f"{key} {entry}" for key, entry in value.items()]
        else:
            lines = value if isinstance(value, list) else [value]
        for line in lines or ["none"]:
            print(f"{heading:<12} {'none' if line is None else line}")
            heading = ""
    for problem in found["problems"]:
        print(f"\nto mend: {problem}")
    if not found["problems"]:
        print("\nNothing stands in the way.")
