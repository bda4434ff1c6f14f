"""Starts a Ray cluster of two nodes on this machine, on loopback only."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

_ROOT = Path(__file__).resolve().parents[3]
_START_S = 120.0


class Cluster:
    """Two raylets of one core each; a context manager."""

    def __init__(self) -> None:
        """Choose a port; Ray's files are in a folder of a short name, because sockets are made in it."""
        self._folder = tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True)
        self._port = _free_port()
        self.address = f"127.0.0.1:{self._port}"
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = os.environ | token | {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(_ROOT)}

    def __enter__(self) -> Cluster:
        head = (f"--port={self._port}", "--include-dashboard=false", f"--temp-dir={self._folder.name}", "--num-cpus=1")
        self._head = self._start("--head", *head)
        self._wait_until_it_listens()
        self._second = self._start(f"--address={self.address}", "--num-cpus=1")
        return self

    def __exit__(self, *exc: object) -> None:
        for node in (self._second, self._head):
            _kill(node)
        self._folder.cleanup()

    def kill_second_node(self) -> None:
        """Kill the node's processes and all workers on it, as a power cut does."""
        _kill(self._second)

    def _wait_until_it_listens(self) -> None:
        until = time.monotonic() + _START_S
        while self._head.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            time.sleep(0.1)
        raise RuntimeError(f"Ray did not start in {_START_S:.0f} s")

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        own = ("--block", "--node-ip-address=127.0.0.1", "--object-store-memory=100000000", "--disable-usage-stats")
        command = [str(Path(sys.executable).with_name("ray")), "start", *own, *options]
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(command, env=self.environment, cwd=_ROOT, stdout=nowhere, stderr=nowhere)


def _kill(node: subprocess.Popen[bytes]) -> None:
    if node.poll() is None:
        processes = [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # those of a node come and go
                process.kill()
        psutil.wait_procs(processes, timeout=30)
        node.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
