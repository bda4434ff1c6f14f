"""Our end of a WebSocket stream in the tests of the Unity package."""

from __future__ import annotations

import select
import subprocess
import time

from realtime.outputs import parse_stream_url
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.live_status import LiveStatus, State
from realtime.outputs.streams.wire.websocket_stream import WebSocketStream
from realtime.outputs.streams.wire.wire import Wire
from tests.realtime.outputs.fingers_and_faces import FINGERED_BODY
from tests.realtime.outputs.streams.synthetic_stream import BODY


class Sender:
    """Our end of the stream, and the words of the program that listens."""

    def __init__(self, port: int = 0) -> None:
        self.stream = WebSocketStream(parse_stream_url(f"ws://127.0.0.1:{port}"))
        self.wire = Wire(BODY, fingers=FingerBones.of_body(FINGERED_BODY))

    @property
    def address(self) -> str:
        return str(self.stream.address)

    def repeat_skeleton_until(self, listener: subprocess.Popen[str], word: str) -> None:
        """The listener says `word` when it has read a skeleton."""
        assert listener.stdout is not None
        said: list[str] = []
        for _ in range(400):
            self.stream.send(self.wire.skeleton())
            time.sleep(0.05)
            if listener.poll() is not None or _has_word(listener):
                said.append(listener.stdout.readline().strip())
                if said[-1].startswith(word):
                    return
        raise AssertionError(f"the listener never said '{word}': {said}")

    def tell(self, state: State) -> None:
        self.stream.send(self.wire.status(LiveStatus(state=state, source="test")))

    def end(self, listener: subprocess.Popen[str]) -> None:
        """Say so until the listener, who may be behind and miss it, has gone in peace."""
        for _ in range(600):
            self.tell("ended")
            if listener.poll() is not None:
                break
            time.sleep(0.05)
        assert listener.wait(timeout=90) == 0, listener.communicate()[0]  # mono may take its time to wind down


def _has_word(listener: subprocess.Popen[str]) -> bool:
    return bool(select.select([listener.stdout], [], [], 0)[0])
