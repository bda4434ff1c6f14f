"""A child process: what signals do to it (nothing), and that it ends with its pipe."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from realtime.kernel.channel import Channel
from realtime.kernel.child import END, Child, ChildGone

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")


def echo(link: Connection, greeting: str) -> None:
    while (message := link.recv()) is not END:
        link.send((greeting, message))


def multiply(link: Connection) -> None:
    whole = np.ones((600, 600), np.float32)
    _ = whole @ whole
    link.send((psutil.Process().num_threads(), os.environ["OPENBLAS_NUM_THREADS"]))


def leave(_link: Connection) -> None:
    sys.exit(3)


@pytest.fixture
def outbox() -> Channel[Any]:
    return Channel.bounded(4)


@pytest.fixture
def child(outbox: Channel[Any]) -> Iterator[Child]:
    child = Child(echo, "hello", name="echo", outbox=outbox, pack=str.upper)
    yield child
    child.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not condition():
        time.sleep(0.02)
    return condition()


def test_messages_go_there_and_come_back_until_the_end(outbox, child):
    for word in ("one", "two"):
        outbox.put(word)
    outbox.put("three")
    outbox.close()
    assert [child.receive() for _ in range(3)] == [("hello", word) for word in ("ONE", "TWO", "THREE")]
    child.close()
    child.close()
    assert not psutil.pid_exists(child.pid)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_no_signal_that_asks_for_the_end_reaches_it_from_its_birth_on(outbox, child):
    for _ in range(50):  # while Python starts, and after
        for name in ENDING:
            os.kill(child.pid, getattr(signal, name))
        time.sleep(0.01)
    outbox.put("still here")
    assert child.receive() == ("hello", "STILL HERE")
    for name in ENDING:
        os.kill(child.pid, getattr(signal, name))
    outbox.put("and here")
    assert child.receive() == ("hello", "AND HERE")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_signals_reach_the_program_as_before(outbox, child):
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def test_one_that_ends_by_itself_is_told_with_its_exit_code(outbox):
    child = Child(leave, name="leaving", outbox=outbox)
    with pytest.raises(ChildGone, match="exit code 3"):
        child.receive()
    child.close()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_one_that_hangs_holds_nobody_up_and_is_ended(outbox, child):
    os.kill(child.pid, signal.SIGSTOP)
    for _ in range(4):
        outbox.put("x" * (1 << 20))  # more than a pipe holds
    child.close(timeout_s=0.2)
    assert not psutil.pid_exists(child.pid)


PARENT = """
import time
from realtime.kernel.channel import Channel
from realtime.kernel.child import Child
from tests.realtime.kernel.test_child import echo

if __name__ == "__main__":
    outbox = Channel.bounded(1)
    child = Child(echo, "hello", name="echo", outbox=outbox)
    outbox.put("ready")
    child.receive()
    print(child.pid, flush=True)
    time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [0, 60])
def test_it_ends_with_the_program_whether_that_ends_or_is_killed(tmp_path: Path, seconds: int):
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(seconds=seconds))
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if seconds:
            parent.kill()
        assert eventually(lambda: not psutil.pid_exists(pid))
        assert parent.wait(20) == (-signal.SIGKILL if seconds else 0)


@pytest.mark.skipif(sys.platform == "darwin", reason="numpy multiplies by Accelerate there")
def test_numpy_has_one_thread_in_it_unless_the_user_says_how_many(outbox, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    child = Child(multiply, name="multiply", outbox=outbox)
    assert child.receive() == (1, "1")
    child.close()
    assert "OPENBLAS_NUM_THREADS" not in os.environ  # this process keeps all
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    child = Child(multiply, name="multiply", outbox=Channel.bounded(1))
    assert child.receive()[1] == "2"
    child.close()
