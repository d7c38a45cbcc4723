"""The explorer in JupyterLab, where its notebook is opened and run by hand."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

if not os.environ.get("CI"):  # where they must be there
    pytest.importorskip("playwright", reason="see the group `test` in pyproject.toml")
from playwright.sync_api import expect

from movierec.reports.notebooks import source_folder

STARTING = 60.0  # seconds
# JupyterLab's own words for the restart that was asked for; its debugger was asking at the time
OF_THE_RESTART = re.compile("Connection lost, reconnecting in 0|Could not restore the debugger")


@pytest.fixture(scope="module")
def lab(small_best, tmp_path_factory):
    """The address of a JupyterLab on a folder with the explorer's notebook."""
    home = tmp_path_factory.mktemp("lab")
    (home / "app.ipynb").write_bytes((source_folder() / "app.ipynb").read_bytes())
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
    environment |= {"MOVIEREC_RUN": str(small_best.path), "MOVIEREC_METADATA": "off"}
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


def test_explorer_works_in_jupyterlab(lab, visitor_of):
    me = visitor_of(f"{lab}/tree/app.ipynb")
    me.page.get_by_text(re.compile(r"\| Idle$")).wait_for()  # there is a kernel, and it is ready
    me.page.locator("[data-command='notebook:restart-run-all']").first.click()
    me.page.get_by_role("button", name="Confirm Kernel Restart").click()
    me.cards("Do you know these?").first.wait_for()
    first = me.cards("Do you know these?").first
    first.get_by_role("radio", name="5 stars").click()
    me.says("Films for you", "From your stars for 1 film")
    me.cards("Films for you").first.get_by_role("button", name="Why this film?").click()
    expect(me.page.get_by_role("dialog", name=re.compile("Why"))).to_be_visible()
    me.picture("reasons")
    me.page.keyboard.press("Escape")
    for tab, heading in (("A film", "Films like it"), ("A person", "Films for them")):
        me.page.locator(".mr-explorer").get_by_role("tab", name=tab, exact=True).click()
        expect(me.cards(heading).first).to_be_visible()
    me.page.locator(".mr-explorer").get_by_role("tab", name="Map", exact=True).click()
    expect(me.page.locator(".mr-map svg")).to_be_visible()
    me.picture("map")
    me.wrong = [line for line in me.wrong if not OF_THE_RESTART.search(line)]
