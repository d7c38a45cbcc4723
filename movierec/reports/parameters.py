"""The parameters of notebooks: what they declare, and values from outside checked against that."""

from __future__ import annotations

import ast
import difflib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from movierec.data.datasets import names
from movierec.errors import InputError
from movierec.models.recipe import resolve_recipe
from movierec.reports.pages import read_notebook

SET_BY_BATCH = ("run_dir", "best_dir", "report_dir", "reuse")
_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number such as 12",
    "float": "a number such as 0.1",
    "str": "a text",
}


class Parameter(NamedTuple):
    """One parameter as a notebook declares it.

    Attributes:
        kind: name of its type, such as "int".
        default: its value where none is given.
        meaning: the comment on its line.
    """

    kind: str
    default: Any
    meaning: str


def declared_parameters(source: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name, from its cell with the tag `parameters`.

    Raises:
        InputError: a default that is no plain value.
    """
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
        kind = type(default).__name__ if kind == "None" else kind
        declared[name] = Parameter(kind, default, entry["help"].strip())
    return declared


def defaults(declared: Mapping[Path, Mapping[str, Parameter]]) -> dict[str, Parameter]:
    """The parameters of several notebooks; the first notebook that declares a name counts."""
    merged: dict[str, Parameter] = {}
    for own in declared.values():
        merged = {**own, **merged}
    return merged


def checked_parameters(
    parameters: Mapping[str, object], declared: Mapping[Path, Mapping[str, Parameter]]
) -> dict[Path, dict[str, Any]]:
    """The values that each notebook gets, converted to the kinds that they declare.

    Args:
        parameters: values by name; texts as a command line gives them, or values of the kind.
        declared: the parameters of each notebook, by `declared_parameters`.

    Raises:
        InputError: a name that no notebook declares or that the batch sets, or a value that is not
            of the kind.
    """
    known = sorted(set(defaults(declared)) - set(SET_BY_BATCH))
    for name in parameters:
        if name in SET_BY_BATCH:
            raise InputError(f"parameter {name} is set by the batch; choose the folder of the run")
        if name not in known:
            near = difflib.get_close_matches(name, known)
            meant = f"; did you mean {' or '.join(near)}?" if near else "."
            raise InputError(
                f"no notebook has a parameter {name!r}{meant} Known: {', '.join(known) or 'none'}"
            )
    return {
        source: {
            name: _converted(name, value, own[name].kind)
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
        value = float(value)
    if type(value).__name__ != kind or (isinstance(value, float) and not math.isfinite(value)):
        raise refusal
    return value


def check_data(parameters: Mapping[str, object]) -> None:
    """Refuse data or a recipe that no notebook could use, before anything is started.

    Raises:
        InputError: a path that does not exist, an unknown data set, or a recipe without a network.
    """
    path, name = parameters.get("path"), parameters.get("data")
    if path and not Path(str(path)).exists():
        raise InputError(f"{path} does not exist; expected a folder or zip with the data")
    if name and not path and name not in names():
        raise InputError(
            f"unknown data set {name!r}; expected one of {', '.join(names())}, or your own data "
            "with --from PATH (in Python: path)"
        )
    if (recipe := parameters.get("recipe")) and "epochs" not in resolve_recipe(
        str(recipe)
    ).supports:
        raise InputError(
            f"got recipe {recipe!r}, which trains no network, but 03_training shows how one is "
            f"trained; expected classic or fast. 04 compares with best in any case. For a "
            f"report on that alone: `movierec train --recipe {recipe} --run DIR`, then "
            "`movierec notebooks --run DIR`"
        )
