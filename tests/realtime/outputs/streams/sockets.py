"""Helpers of the stream tests: garbage for open ports, and what a process holds open."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import psutil


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def send_garbage(port: int, heads: tuple[bytes, ...], seed: int = 0, rounds: int = 40) -> None:
    """Connect again and again, say a piece of what the protocol begins with and then noise, and leave in every way."""
    rng = np.random.default_rng(seed)
    for k in range(rounds):
        with connection(port) as client, contextlib.suppress(OSError):
            head = heads[k % len(heads)]
            client.sendall(head[: rng.integers(0, len(head) + 1)] if k % 2 else head)
            client.sendall(rng.bytes(int(rng.integers(0, 5000))))
            if k % 3 == 0:  # slam the door: a reset instead of a goodbye
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@contextlib.contextmanager
def nothing_left_behind() -> Iterator[None]:
    """Fails when the block leaves a socket, a file handle or a thread behind."""
    process = psutil.Process(os.getpid())
    threads = set(threading.enumerate())
    handles = process.num_fds() if hasattr(process, "num_fds") else 0
    sockets = len(process.net_connections("all"))
    yield
    wait_until(lambda: set(threading.enumerate()) <= threads)
    wait_until(lambda: len(process.net_connections("all")) <= sockets)
    if handles:
        wait_until(lambda: process.num_fds() <= handles)


def can_listen(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False
