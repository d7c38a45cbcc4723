"""The command line as a whole.

Results go to the standard output (with `--json`, nothing else does); progress and messages go to
the standard error. Exit status 2 is bad input, or a package that is not installed; 1 is a notebook
that failed, or something that `doctor` found to mend.
"""

from __future__ import annotations

import copy
import errno
import importlib
import sys

import click

from movierec import __version__
from movierec.errors import InputError, StoppedError, needs, printable

# each command: where it stands, and the extra that installs what it needs beside the core
COMMANDS: dict[str, tuple[str, str]] = {
    "data": ("training:data_command", ""),
    "train": ("training:train_command", ""),
    "evaluate": ("training:evaluate_command", ""),
    "recommend": ("films:recommend", ""),
    "predict": ("serving:predict_command", ""),
    "export": ("serving:export_command", "export"),
    "app": ("serving:app_command", "page"),
    "notebooks": ("reports:notebooks_command", "notebooks"),
    "doctor": ("reports:doctor_command", ""),
}


def main() -> None:
    """Run the command line, with bad input told in one message and exit status 2."""
    try:
        cli()
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise  # no fault of a path that was given
        fault = f"{error.filename}: {error.strerror}" if error.filename is not None else error
        _end(f"{fault}; check that the folder exists and may be written, and its disk has space", 2)
    except (InputError, StoppedError) as error:
        _end(str(error), 2 if isinstance(error, InputError) else 1)


def _end(message: str, status: int) -> None:
    print(f"movierec: {printable(message)}", file=sys.stderr)
    sys.exit(status)


class _Commands(click.Group):
    """`COMMANDS`, each loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        place, extra = COMMANDS[cmd_name]
        module, name = place.split(":")
        command: click.Command = getattr(importlib.import_module(f"movierec.cli.{module}"), name)
        if extra and (called := command.callback):
            command = copy.copy(command)
            command.callback = needs(extra, f"`movierec {cmd_name}`")(called)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from movierec.doctor import missing_extras

        missing, rows = missing_extras(), []
        for name, (_, extra) in COMMANDS.items():
            command = self.get_command(ctx, name)
            assert command is not None
            mark = f" [{extra}]" if extra in missing else ""
            rows.append((name, command.get_short_help_str(70) + mark))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        if missing:
            formatter.write_paragraph()
            formatter.write_text("[NAME] has to be installed: pip install 'movierec[NAME]'")


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, prog_name="movierec")
def cli() -> None:
    """A movie recommender to read, run and keep."""
