"""Read and run the commands of an emitted README, and draw what it shows."""

import os
import re
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.baking import ROOT
from tests.support.live import HANG_SECONDS

# The documents of the engines, which projects link to.
PACKAGE_DOCS = ROOT / "src" / "secure_django" / "docs"


def section(document: Path, heading: str) -> str:
    """Return the text below a second-level heading of a Markdown document."""
    text = document.read_text(encoding="utf-8")
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert match, f"{document.name} has no section {heading}"
    return match[1]


def commands(document: Path, heading: str) -> list[str]:
    """Return the lines of the shell blocks below a second-level heading."""
    blocks = re.findall(
        r"^```sh\n(.*?)^```", section(document, heading), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in block.splitlines()]


def chain(layers: list[str]) -> str:
    """Return layers of import-linter as an edge of Mermaid's flowcharts."""
    return " --> ".join(layer.replace(" | ", " & ") for layer in layers)


def draw_contracts(folder: Path) -> list[str]:
    """Return a drawing of each contract with layers, of a folder's pyproject.toml."""
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    return [
        f"```mermaid\nflowchart LR\n    {chain(contract['layers'])}\n```\n"
        for contract in contracts
        if contract["type"] == "layers"
    ]


@contextmanager
def one_process_at_a_time(port: int) -> Iterator[None]:
    """Wait for other test processes; the port is only a lock.

    The system frees it, however a process ends.
    """
    with socket.socket() as lock:
        while True:
            try:
                lock.bind(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.1)
        yield


@contextmanager
def development_port() -> Iterator[None]:
    """Hold port 8000 for one test process."""
    with one_process_at_a_time(18000):
        yield


def terminate(process: subprocess.Popen[Any]) -> None:
    """End a process and its children; it must lead a process group."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=True)
    process.wait(HANG_SECONDS)
