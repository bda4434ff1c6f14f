"""A child process that draws or films for the program, at the other end of a pipe.

It outlives every signal that asks the program to end (Ctrl-C and a closed terminal reach the whole group, a service
manager reaches every process): the program decides, and tells it by the pipe. It also ends where the pipe does, so that
nothing is left behind by a program that was killed.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from realtime.kernel.channel import Channel, ChannelClosed

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)

END = None  # the last message to a child


class ChildGone(RuntimeError):
    """The child has ended, or its end of the pipe is closed; the message says how."""


class Child:
    """A handle on a child. What is put into `outbox` is sent by a thread, so a child that hangs holds nobody up."""

    def __init__(
        self,
        work: Callable[..., None],
        *arguments: Any,
        name: str,
        outbox: Channel[Any],
        pack: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        """Start a process that calls `work(link, *arguments)`, a function of a module.

        work: receives from `link` until it gets END or the link ends. arguments: small; the rest is sent.
        pack: what becomes of a message before it is sent, in the sending thread.
        """
        context = multiprocessing.get_context("spawn")
        self._outbox = outbox
        self._pack = pack
        self._link, far_end = context.Pipe()
        self._process = context.Process(target=_run, args=(work, far_end, *arguments), name=name, daemon=True)
        with _ending_signals_held():
            self._process.start()
        far_end.close()  # or the end of the process would not be seen
        atexit.register(self._link.close)  # before multiprocessing waits for the children that are left
        self._sender = threading.Thread(target=self._send, name=f"to the {name}", daemon=True)
        self._sender.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Whether there is something to receive within that time, the child's end included."""
        return self._link.poll(timeout_s)

    def receive(self) -> Any:
        """The next message; waits for it. Raises ChildGone where none comes any more."""
        try:
            return self._link.recv()
        except _GONE as error:
            self._process.join(5.0)
            raise ChildGone(f"its process died (exit code {self._process.exitcode})") from error

    def close(self, timeout_s: float = 5.0) -> None:
        """End the child: it has that long for what it was sent, then it is killed. Idempotent."""
        self._outbox.close()
        self._sender.join(timeout_s)
        if self._sender.is_alive():
            self._process.kill()  # it does not read any more
            self._sender.join()
        self._link.close()
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        atexit.unregister(self._link.close)

    def _send(self) -> None:
        with contextlib.suppress(*_GONE):
            try:
                while True:
                    self._link.send(self._pack(self._outbox.get()))
            except ChannelClosed:
                self._link.send(END)
        self._outbox.abandon()


def _run(work: Callable[..., None], link: Connection, *arguments: Any) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(*_GONE):  # the program is gone
        work(link, *arguments)


@contextlib.contextmanager
def _ending_signals_held() -> Iterator[None]:
    """A child that is born meanwhile never gets them, also before it can ignore them; this process does, later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        resource_tracker.ensure_running()  # multiprocessing's own child; where it starts, it lets signals through again
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
