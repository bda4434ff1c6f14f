"""A program on a terminal of its own, as a user sits before it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CTRL_C = "\x03"


def _take_the_terminal() -> None:
    """Let the terminal control the program, and SIGHUP end it, also where the tests were started by nohup."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """Runs a command on a pseudo-terminal that controls it, so that keys such as Ctrl-C reach its whole group."""

    def __init__(self, *command: str | Path, env: dict[str, str] | None = None, columns: int = 120) -> None:
        self.said = ""
        self._end, far_end = pty.openpty()
        fcntl.ioctl(far_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=far_end,
            stdout=far_end,
            stderr=far_end,
            start_new_session=True,
            preexec_fn=_take_the_terminal,
        )
        os.close(far_end)

    def wait_for(self, text: str, timeout_s: float = 60.0) -> None:
        """Read until `text` was said. Raises AssertionError with all that was said where it never is."""
        deadline = time.monotonic() + timeout_s
        while text not in self.said:
            assert self._read(deadline), f"never said {text!r}, but: {self.said}"

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def signal(self, number: int) -> None:
        """Send a signal to the program alone."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Read until the program ends; its exit code, negative where a signal ended it."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        return self._process.wait(max(0.1, deadline - time.monotonic()))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._end)

    def _read(self, deadline: float) -> bool:
        """Take what has come; False once nothing will come, or where nothing came in time."""
        readable, _, _ = select.select([self._end], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return False
        try:
            data = os.read(self._end, 65536)
        except OSError:  # every process on the terminal has ended
            return False
        self.said += data.decode(errors="replace")
        return bool(data)
