"""A process for each visitor of the page, forked from one that has loaded the model.

A visitor's kernel started on its own would import everything and read the run: two to three
seconds and 300 MB for each. Forked, it is there at once, and shares the model's memory with all
others until one of them writes to it. The standard library's forkserver does the forking: a process
that loads `movierec.page.nursery`, and from then on only forks. It ends with the server, and the
kernels with it, however the server ends.

Only on Linux: elsewhere a process that has used the system's numerical libraries may not be forked,
and each visitor's kernel starts on its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from contextlib import suppress
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from movierec.errors import InputError
from movierec.logs import logger

log = logger(__name__)

RUN_VARIABLE = "MOVIEREC_RUN"  # the run folder that the nursery and the page's notebook open
OWN_MEMORY = 512 * 2**20  # bytes that one visitor may take beside the shared model
_NAME = "movierec"


def can_fork() -> bool:
    """Whether visitors' processes are forked here."""
    return sys.platform == "linux"


def prepare(parent: Any) -> None:
    """Load the model in a process to fork from, and let Jupyter fork kernels from now on.

    Args:
        parent: the application whose settings hold for the factory of kernels.

    Raises:
        InputError: the run folder is damaged, or what loads it fails otherwise.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["movierec.page.nursery"])
    receiver, sender = context.Pipe(duplex=False)
    first = context.Process(target=_tell_problem, args=(sender,), daemon=True)
    try:
        first.start()
        sender.close()  # so that the end of the other side is noticed
        problem = receiver.recv()
    except (EOFError, ConnectionError) as error:
        raise InputError(
            "the process that loads the run ended without a word of its own; what it said is above"
        ) from error
    first.join()
    if problem is not None:
        raise InputError(problem)
    factory = KernelProvisionerFactory.instance(parent=parent)
    value = f"{Forked.__module__}:{Forked.__qualname__}"
    factory.provisioners[_NAME] = EntryPoint(_NAME, value, KernelProvisionerFactory.GROUP_NAME)
    factory.default_provisioner_name = _NAME


class Forked(LocalProvisioner):
    """Starts a kernel by a fork, and looks after it as Jupyter does after any local process."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        context = multiprocessing.get_context("forkserver")
        arguments = cmd[cmd.index("-f") :]  # `-f` and the connection file
        process = context.Process(
            target=_become_kernel, args=(arguments, kwargs["env"], kwargs.get("cwd")), daemon=True
        )
        process.start()
        self.process: Any = _Process(process)
        self.pid = self.pgid = process.pid  # it leads a group of its own
        log.debug("process %d is ready for a visitor", process.pid)
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info


class _Process:
    """A forked process with the names of `subprocess.Popen`, which Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid = process.pid

    def poll(self) -> int | None:
        return self._process.exitcode  # None while it runs

    def wait(self) -> int | None:
        self._process.join()
        return self.poll()

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, signum)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _tell_problem(sender: Any) -> None:
    from movierec.page.nursery import PROBLEM

    sender.send(PROBLEM)


def _become_kernel(arguments: list[str], environment: dict[str, str], folder: str | None) -> None:
    """What a forked process does: nothing but be a Jupyter kernel, with bounded memory."""
    from ipykernel.kernelapp import IPKernelApp

    # A forked process may ask for further forks, and what it would do so by keeps the forkserver
    # alive; without it that ends when the server does, even by `kill -9`, and then the kernels.
    os.close(vars(forkserver._forkserver)["_forkserver_alive_fd"])
    os.setsid()  # Ctrl-C in the server's terminal is for the server, which ends its kernels
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder or ".")
    _bound_memory()
    # With its parent known, the kernel ends when that does, and writes no greeting.
    settings = [f"--IPKernelApp.parent_handle={os.getppid()}", "--HistoryManager.enabled=False"]
    # Imported before there was a kernel, ipywidgets has not told one that pages may ask for the
    # state of all widgets at once; without that they ask for each by itself.
    settings.append("--IPKernelApp.extra_extensions=ipywidgets")
    IPKernelApp.launch_instance([*arguments, *settings])


def _bound_memory() -> None:
    """An allocation beyond what a visitor may take fails, in this process alone."""
    import resource

    status = Path("/proc/self/status").read_text()
    used = next(line for line in status.splitlines() if line.startswith("VmData:"))
    limit = int(used.split()[1]) * 1024 + OWN_MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
