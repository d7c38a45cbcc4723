"""Runs one notebook in a kernel of its own, and measures what that takes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import nbformat
import papermill
import psutil
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from movierec.errors import StoppedError
from movierec.files import write_whole
from movierec.logs import logger

log = logger(__name__)

CORES = os.cpu_count() or 1
AT_ONCE = min(2, CORES)  # notebooks under way; each may take a core and its memory
KERNEL_ENVIRONMENT = {
    # A line an epoch: a live bar leaves screens of control characters in an executed notebook.
    "MOVIEREC_PROGRESS": "lines",
    # Its share of the cores: threads of matrix products that get none wait for each other.
    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(CORES // AT_ONCE)),
}
START_TIMEOUT = 300  # seconds until a kernel answers; the first start after an install is slow
SAMPLING = 0.1  # seconds between two looks at the memory


class Execution(NamedTuple):
    """A notebook that was run."""

    notebook: Any  # with its outputs, as far as it came
    seconds: float  # from the start of its kernel to its end
    peak_memory: int  # bytes, of its kernel and what that started, seen ten times a second
    failure: str  # what stopped it, such as "ValueError: no ratings"; "" if it came to its end
    cell: int | None = None  # that failed: the n of its `In [n]`; None: none, or the kernel died


class NotebookError(StoppedError):
    """A notebook, such as `03_training`, stopped; `page` shows where."""

    def __init__(self, notebook: str, done: Execution, page: Path) -> None:
        self.notebook, self.failure, self.cell = notebook, done.failure, done.cell
        where = "" if done.cell is None else f" in cell {done.cell}"
        super().__init__(f"{notebook} stopped{where}: {done.failure}; open {page} to see where")


def execute(source: Path, values: dict[str, Any], target: Path, kernel: Kernel) -> Execution:
    """Run a notebook with parameters, and leave it executed as `target`, whole or not at all.

    A kernel that dies leaves `target` with the ending `.log`: what libraries printed.
    """
    log.info("running %s for %s with %s", source.name, target, values)
    failure, cell = "", None
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as printed:
        partial = Path(folder) / target.name
        try:
            papermill.execute_notebook(
                source,
                partial,
                parameters=values,
                kernel_name="python3",
                language="python",
                kernel_manager_class=_running_python(printed, kernel),
                start_timeout=START_TIMEOUT,
                progress_bar=False,
                log_output=False,
            )
        except PapermillExecutionError as error:
            failure, cell = f"{error.ename}: {error.evalue}", error.exec_count
        except DeadKernelError as error:  # killed from outside, most often for want of memory
            failure = f"DeadKernelError: {error}"
            printed.seek(0)
            write_whole(target.with_suffix(".log"), printed.read())
        finally:
            ensure_event_loop().close()  # this thread's, which papermill leaves open
        notebook = nbformat.read(partial, as_version=4)
    notebook.metadata.papermill.update(input_path=source.name, output_path=target.name)
    write_whole(target, nbformat.writes(notebook) + "\n")
    seconds, ended = time.perf_counter() - began, failure or "whole"
    log.info("%s: %s, %.1f s, at most %d MiB", target, ended, seconds, kernel.peak >> 20)
    return Execution(notebook, seconds, kernel.peak, failure, cell)


class Kernel:
    """The process of a notebook: its memory, with that of its children, and how to end it."""

    def __init__(self) -> None:
        self.peak = 0  # bytes that they held at most
        self.ended = threading.Event()  # set to kill it, at the latest when it has been started

    def watch(self, pid: int) -> None:
        """Look at the process, which has just been started, until it ends."""
        with contextlib.suppress(psutil.NoSuchProcess):
            kernel = psutil.Process(pid)
            while kernel.is_running() and kernel.status() != psutil.STATUS_ZOMBIE:
                with contextlib.suppress(psutil.NoSuchProcess):  # a child that ended meanwhile
                    family = [kernel, *kernel.children(recursive=True)]
                    self.peak = max(self.peak, sum(one.memory_info().rss for one in family))
                if self.ended.wait(SAMPLING):
                    kernel.kill()
                    return


def _running_python(printed: BinaryIO, kernel: Kernel) -> type:
    """The kernel of this interpreter, whatever kernelspec is registered as `python3`.

    A class, as papermill makes the manager itself. What libraries in C++ print, such as
    TensorFlow's remarks on the processor, goes to `printed`.
    """
    quiet = ["--IPKernelApp.capture_fd_output=False", "--IPKernelApp.log_level=ERROR"]
    spec = KernelSpec(resource_dir=RESOURCES, env=KERNEL_ENVIRONMENT, **get_kernel_dict(quiet))

    class RunningPython(AsyncKernelManager):
        kernel_spec = spec

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(stderr=printed, **options)
            pid = self.provisioner.pid  # type: ignore[union-attr]  # it was just started
            threading.Thread(target=kernel.watch, args=(pid,), daemon=True).start()

    return RunningPython
