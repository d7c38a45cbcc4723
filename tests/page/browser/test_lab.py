"""The explorer in JupyterLab, where its notebook is opened and run by hand."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if not os.environ.get("CI"):  # where they must be there
    pytest.importorskip("playwright", reason="see the group `test` in pyproject.toml")
    if find_spec("jupyterlab") is None:  # not loaded: it takes seconds
        pytest.skip("see the extra `lab`", allow_module_level=True)
from playwright.sync_api import expect

STARTING = 60.0  # seconds
# JupyterLab's own words for the restart that was asked for; its debugger was asking at the time
OF_THE_RESTART = re.compile("Connection lost, reconnecting in 0|Could not restore the debugger")
SHOWN = """from movierec.explorer.widget import explorer
from movierec.runs import load_run
view = explorer(load_run({run!r}).recommender)
view"""
DRIVEN = "view.rate(view.asked.movie_id, 5)"


@pytest.fixture(scope="module")
def lab(small_best, tmp_path_factory):
    """The address of a JupyterLab on a folder with a notebook that shows the explorer."""
    home = tmp_path_factory.mktemp("lab")
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": text, "outputs": []}
        | {"execution_count": None}
        for n, text in enumerate((SHOWN.format(run=str(small_best.path)), DRIVEN))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (home / "shown.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "ServerApp.port": port,
        "ServerApp.root_dir": home,
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": "",
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
    }
    command = [sys.executable, "-m", "jupyterlab", *(f"--{k}={v}" for k, v in settings.items())]
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    environment = os.environ | {name: str(home / "own") for name in folders}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(home / "own")}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}/lab"
            _wait_for(address, server, home / "log")
            yield address
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTING
    while server.poll() is None and time.monotonic() < until:
        try:
            urlopen(address, timeout=5).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text('utf-8')}")


def test_explorer_works_in_jupyterlab_and_python_drives_it(lab, visitor_of):
    me = visitor_of(f"{lab}/tree/shown.ipynb", viewport={"width": 1500, "height": 900})
    me.page.get_by_text(re.compile(r"\| Idle$")).wait_for()  # there is a kernel, and it is ready
    me.page.locator("[data-command='notebook:restart-run-all']").first.click()
    me.page.get_by_role("button", name="Confirm Kernel Restart").click()
    me.films()
    expect(me.page.get_by_text("Your films (1)")).to_be_visible()  # given by the second cell
    me.page.locator(".mr-deck").get_by_role("radio").nth(1).click()
    expect(me.page.get_by_text("Your films (2)")).to_be_visible()
    expect(me.page.locator(".mr-why").first).to_contain_text("because you")
    expect(me.page.locator(".mr-explorer")).not_to_contain_text(re.compile("false|undefined|null"))
    me.picture("list")
    me.page.locator(".mr-grid .mr-open").first.click()
    expect(me.page.get_by_role("dialog").get_by_text("Films like it")).to_be_visible()
    me.page.keyboard.press("Escape")
    me.page.locator(".mr-tab, .mr-bar button").get_by_text("Map", exact=True).first.click()
    expect(me.page.locator("canvas.mr-canvas")).to_be_visible()
    me.picture("map")
    me.wrong = [line for line in me.wrong if not OF_THE_RESTART.search(line)]
