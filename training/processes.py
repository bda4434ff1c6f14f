"""Starts a trainer in several processes of this machine:

    python -m training.processes 4 training.hmr --config configs/hmr/paper.yaml --data DIR --out DIR ...

They find each other through a file and communicate over the loopback interface. torchrun works too, and is needed for
several machines, but its store listens on every interface.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine.command import command
from engine.errors import EngineError
from training.run.accelerator import STORE

_POLL_S = 0.1
_END_S = 10.0


@command("training.processes")
def main(arguments: list[str] | None = None) -> int:
    """Run a trainer in several processes of this machine; ends with the first failure and its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.processes", description=main.__doc__)
    parser.add_argument("count", type=int, help="how many processes; on GPUs, one each")
    parser.add_argument("module", help="the trainer, such as training.hmr")
    parser.add_argument("options", nargs=argparse.REMAINDER, help="what the trainer is told")
    given = parser.parse_args(arguments)
    if given.count < 1:
        raise EngineError(f"{given.count} processes cannot train: give 1 or more")
    with tempfile.TemporaryDirectory(prefix="tokenmocap-", ignore_cleanup_errors=True) as folder:
        line = [sys.executable, "-m", given.module, *given.options]
        environment = _environment(given.count, Path(folder) / "store")
        children = [
            subprocess.Popen(line, env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)})
            for rank in range(given.count)
        ]
        try:
            return _wait(children)
        finally:
            _end(children)


def _environment(count: int, store: Path) -> dict[str, str]:
    """Return torchrun's environment variables for every process. Those set by the user are kept."""
    environment = {"OMP_NUM_THREADS": "1"}
    loopback = next((name for _, name in socket.if_nameindex() if name in ("lo", "lo0")), None)
    if loopback is not None:
        environment |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    return {**environment, **os.environ, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), STORE: str(store)}


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    while True:
        codes = [child.poll() for child in children]
        failed = next((code for code in codes if code), None)
        if failed is not None:
            return failed if failed > 0 else 1
        if None not in codes:
            return 0
        time.sleep(_POLL_S)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()


if __name__ == "__main__":
    sys.exit(main())
