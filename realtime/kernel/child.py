"""Runs a child process that draws or films for the program, connected by a pipe.

It ignores every signal that asks the program to end. Ctrl-C and a closed terminal reach the whole group, and a service
manager reaches every process. The program decides and tells it through the pipe. It also ends when the pipe closes, so
nothing remains of a killed program.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from realtime.kernel.channel import Channel, ChannelClosed

_ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
_GONE = (EOFError, BrokenPipeError, ConnectionResetError)

END = None  # the last message to a child


class ChildGone(RuntimeError):
    """Child that has ended, or closed its end of the pipe; the message gives the reason."""


class Child:
    """Handle of a child. A thread sends the items of `outbox`, so a hanging child blocks nobody."""

    def __init__(
        self,
        work: Callable[..., None],
        *arguments: Any,
        name: str,
        outbox: Channel[Any],
        first: Any = None,
        pack: Callable[[Any], Any] = lambda message: message,
    ) -> None:
        """Start a process that calls `work(link, *arguments)`, a function of a module.

        work: receives from `link` until it gets END or the link ends. arguments: small; larger data are sent.
        first: sent before the items of `outbox`, as it is; None: nothing.
        pack: converts a message before it is sent, in the sending thread.
        """
        context = multiprocessing.get_context("spawn")
        self._outbox = outbox
        self._first = first
        self._pack = pack
        self._link, far_end = context.Pipe()
        self._process = context.Process(target=_run, args=(work, far_end, *arguments), name=name, daemon=True)
        with _ending_signals_held(), _one_thread_for_products():
            self._process.start()
        self._pid = self._process.pid
        self._exit_code: int | None = None  # once closed
        self._is_closed = False
        far_end.close()  # otherwise the end of the process would not be detected
        atexit.register(self._link.close)  # before multiprocessing waits for remaining children
        self._sender = threading.Thread(target=self._send, name=f"to the {name}", daemon=True)
        self._sender.start()

    @property
    def pid(self) -> int | None:
        return self._pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._exit_code if self._is_closed else self._process.exitcode

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Return whether there is something to receive within that time, including the child's end."""
        return self._link.poll(timeout_s)

    def receive(self) -> Any:
        """Wait for the next message and return it. Raises ChildGone if there are no more."""
        try:
            return self._link.recv()
        except _GONE as error:
            self._process.join(5.0)
            raise ChildGone(f"its process died (exit code {self._process.exitcode})") from error

    def close(self, timeout_s: float = 5.0) -> None:
        """End the child: it has that long for its queued messages, then it is killed. Idempotent."""
        self._outbox.close()
        if self._is_closed:
            return
        self._sender.join(timeout_s)
        if self._sender.is_alive():
            self._process.kill()  # it does not read any more
            self._sender.join()
        self._link.close()
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._exit_code, self._is_closed = self._process.exitcode, True
        self._process.close()  # frees its handle, also while somebody holds this object
        atexit.unregister(self._link.close)

    def _send(self) -> None:
        with contextlib.suppress(*_GONE):
            try:
                if self._first is not None:
                    self._link.send(self._first)
                while True:
                    self._link.send(self._pack(self._outbox.get()))
            except ChannelClosed:
                self._link.send(END)
        self._outbox.abandon()


def wait_for_any(children: Sequence[Child], timeout_s: float) -> list[Child]:
    """Return the children that have something to receive, which may be their end: at once, or after that time none."""
    ready = wait([child._link for child in children], timeout_s)
    return [child for child in children if child._link in ready]


def _run(work: Callable[..., None], link: Connection, *arguments: Any) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(*_GONE):  # the program is gone
        work(link, *arguments)


@contextlib.contextmanager
def _one_thread_for_products() -> Iterator[None]:
    """Give numpy one thread in a process that starts meanwhile, unless the user has said how many.

    OpenBLAS would use all cores for every product of matrices, and its threads wait busily for each other. Beside the
    pose path that costs ten times as much as the product.
    """
    name = "OPENBLAS_NUM_THREADS"
    if name in os.environ:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


@contextlib.contextmanager
def _ending_signals_held() -> Iterator[None]:
    """Block ending signals while a child starts, so that it never gets them; this process gets them later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        resource_tracker.ensure_running()  # multiprocessing's own child, whose start would unblock signals
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
