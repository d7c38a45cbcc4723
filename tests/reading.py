"""A notebook's cells in the process of the tests.

A kernel of its own would start, and load TensorFlow, which takes longer than most notebooks on a
small world; that kernels, pages and parameters are right, a batch of all notebooks shows once.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import capture_output
from nbformat.v4 import new_output

from movierec.lessons.record import METRICS_MIME
from movierec.reports.notebooks import source_folder
from movierec.reports.parameters import declared_parameters


class Hook(DisplayHook):
    """Shows a cell's last value as a kernel does, in place of printing it."""

    def __call__(self, result: Any = None) -> None:
        if result is not None:
            display(result)


class Read:
    """What came of a notebook.

    Attributes:
        notebook: it, with what its cells showed as their outputs.
        recorded: what it handed to `record`.
        said: what its cells showed in Markdown.
        html: what they showed as HTML, such as tables.
        printed: what they wrote to the standard output and error.
    """

    def __init__(self, name: str, **given: Any) -> None:
        """Run its cells, with those parameters that it declares; what a cell raises is raised."""
        self.recorded: dict[str, Any] = {}
        self.said: list[str] = []
        self.html = ""
        self.printed = ""
        shell = InteractiveShell.instance(displayhook_class=Hook)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MOVIEREC_PROGRESS", "off")
            plt.switch_backend("module://matplotlib_inline.backend_inline")  # a kernel's
            try:
                self._run(shell, name, given)
            finally:
                plt.close("all")
                plt.switch_backend("agg")
                plt.rcdefaults()
                InteractiveShell.clear_instance()

    def _run(self, shell: InteractiveShell, name: str, given: dict[str, Any]) -> None:
        source = source_folder() / f"{name}.ipynb"
        declared = declared_parameters(source)
        self.notebook = nbformat.read(source, as_version=4)
        for cell in (cell for cell in self.notebook.cells if cell.cell_type == "code"):
            with capture_output() as shown:
                done = shell.run_cell(cell.source)
            done.raise_error()
            if "parameters" in cell.metadata.get("tags", []):
                shell.push({name: given[name] for name in given if name in declared})
            self.printed += shown.stdout + shown.stderr
            cell.outputs = [new_output("display_data", each.data) for each in shown.outputs]
            for output in shown.outputs:
                self.recorded |= output.data.get(METRICS_MIME, {})
                self.said.append(output.data.get("text/markdown", ""))
                self.html += output.data.get("text/html", "")
