"""A real publisher of the program in a thread of the test."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator

from realtime.kernel.messages import SolvedFrame
from realtime.outputs import open_stream
from realtime.outputs.output import Run
from realtime.outputs.streams.sonic.sonic_stream import SonicStream
from realtime.outputs.streams.wire.wire_stream import WireStream


@contextlib.contextmanager
def publishing(make: Callable[[int], SolvedFrame], run: Run, url: str = "zmq://127.0.0.1:0") -> Iterator[int]:
    """Frames made of 0, 1, 2... fifty times a second; gives the port."""
    output = open_stream(url, run)
    assert isinstance(output, WireStream | SonicStream)
    ended = threading.Event()

    def publish() -> None:
        for seq in itertools.count():
            if ended.wait(0.02):
                return
            output.put(make(seq))
            output.tick()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield output.address.port
    finally:
        ended.set()
        thread.join()
        output.close()
