"""The reference from the docstrings: `make docs`, or `python docs/api.py FOLDER [ROOM...]`.

pdoc reads docstrings as they are written here, Markdown with Google's sections, and leaves pages
that need no network and no server: open `index.html` in the folder.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from pkgutil import iter_modules
from types import GenericAlias
from typing import Any

import numpy.typing


class NDArray:
    """An array; NumPy's own name for it is long, and says nothing more."""

    def __class_getitem__(cls, entries: Any) -> GenericAlias:
        return GenericAlias(cls, entries)


class ArrayLike:
    """What NumPy makes an array of."""


def build(folder: Path, *rooms: str) -> None:
    """Write the pages.

    Args:
        folder: where to.
        rooms: modules of movierec to describe beside it; none: all.
    """
    # names as they are written, before a module of movierec takes up the long ones
    for name in (NDArray, ArrayLike):
        name.__module__ = "npt"
        setattr(numpy.typing, name.__name__, name)
    import pdoc

    import movierec

    # pdoc shows what `__all__` lists and the module holds: public names are loaded, rooms listed
    vars(movierec).update({name: getattr(movierec, name) for name in movierec.__all__})
    every = [module.name for module in iter_modules(movierec.__path__)]
    movierec.__all__ += list(rooms) or [name for name in every if not name.startswith("_")]
    # the arguments that a NamedTuple's constructor takes have types that Python cannot look up
    warnings.filterwarnings("ignore", "Error parsing type annotation", module="pdoc")
    pdoc.render.configure(docformat="google", footer_text=f"movierec {movierec.__version__}")
    pdoc.pdoc("movierec", output_directory=folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]), *sys.argv[2:])
    print(f"open {Path(sys.argv[1], 'index.html')}")
