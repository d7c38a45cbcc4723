"""The parameters of notebooks: what they declare, and values from outside checked against that."""

from __future__ import annotations

import ast
import difflib
import os
from collections import ChainMap
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import papermill
from pydantic import ConfigDict, TypeAdapter, ValidationError

from movierec.data.datasets import names
from movierec.errors import InputError
from movierec.models.recipe import resolve_recipe

SET_BY_BATCH = ("run_dir", "best_dir", "reuse")
_KINDS: dict[str, tuple[type, str]] = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number such as 12"),
    "float": (float, "a number such as 0.1"),
    "str": (str, "a text"),
}


class Parameter(NamedTuple):
    """One parameter as a notebook declares it."""

    kind: str  # name of its type, such as "int"
    default: Any
    meaning: str  # the comment on its line


def declared_parameters(source: Path) -> dict[str, Parameter]:
    """The parameters of a notebook by name, from its cell with the tag `parameters`.

    Raises:
        InputError: a default that is no plain value.
    """
    notebook = nbformat.read(source, as_version=4)
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


def settable(declared: dict[Path, dict[str, Parameter]]) -> dict[str, Parameter]:
    """The parameters of several notebooks, in alphabetical order, but for what the batch sets.

    Of a name that several declare, the first notebook counts.
    """
    merged = ChainMap(*declared.values())
    return {name: merged[name] for name in sorted(merged) if name not in SET_BY_BATCH}


def checked_parameters(
    parameters: Mapping[str, object], declared: dict[Path, dict[str, Parameter]]
) -> dict[Path, dict[str, Any]]:
    """The values that each notebook gets, converted from texts to the kinds that they declare.

    Raises:
        InputError: a name that no notebook declares or that the batch sets, a value that is not of
            the kind, a path that does not exist, an unknown data set, or a recipe without network.
    """
    known = settable(declared)
    given: dict[Path, dict[str, Any]] = {source: {} for source in declared}
    for name, value in parameters.items():
        if name in SET_BY_BATCH:
            raise InputError(f"parameter {name} is set by the batch; choose the folder of the run")
        if name not in known:
            raise unknown("notebook has a parameter", name, known)
        for source, own in declared.items():
            if name in own:
                given[source][name] = _converted(name, value, own[name].kind)
    path, data, recipe = (parameters.get(name) for name in ("path", "data", "recipe"))
    if path and not Path(str(path)).exists():
        raise InputError(f"{path} does not exist; expected a folder or zip with the data")
    if data and not path and data not in names():
        raise InputError(
            f"unknown data set {data!r}; expected one of {', '.join(names())}, or your own data "
            "with --from PATH (in Python: path)"
        )
    if recipe and "epochs" not in resolve_recipe(str(recipe)).supports:
        raise InputError(
            f"got recipe {recipe!r}, which trains no network, where 03_training trains one; "
            f"expected classic or fast. A report on {recipe} alone: `movierec train --recipe "
            f"{recipe} --run DIR`, then `movierec notebooks --run DIR`"
        )
    return given


def unknown(what: str, name: str, known: Collection[str]) -> InputError:
    """The error that says that there is no such name, which are near it, and which there are."""
    near = difflib.get_close_matches(name, known, cutoff=0.4)
    meant = f"; did you mean {' or '.join(near)}?" if near else "."
    return InputError(f"no {what} {name!r}{meant} Known: {', '.join(known) or 'none'}")


def _converted(name: str, value: object, kind: str) -> Any:
    """The value as the declared kind; a text is read as a command line gives it."""
    if kind not in _KINDS:
        raise InputError(f"parameter {name} is of kind {kind}, which the batch cannot set")
    wanted, expected = _KINDS[kind]
    plain = os.fspath(value) if isinstance(value, os.PathLike) else value
    try:
        form: TypeAdapter[Any] = TypeAdapter(wanted, config=ConfigDict(allow_inf_nan=False))
        return form.validate_python(plain, strict=not isinstance(plain, str))
    except ValidationError:
        raise InputError(f"parameter {name} was given as {value!r}; expected {expected}") from None
