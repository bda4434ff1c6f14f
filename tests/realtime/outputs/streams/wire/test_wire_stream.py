from __future__ import annotations

import json
import logging
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import zmq
from websockets.sync.client import connect

from realtime.kernel.messages import SolvedFrame
from realtime.outputs.live_status import LiveStatus, State
from realtime.outputs.output import Run
from realtime.outputs.streams.url import StreamError
from realtime.run.config import LiveConfig
from realtime.run.fanout import close_outputs, open_outputs
from tests.realtime.outputs.streams.sockets import can_listen, nothing_left_behind, send_garbage, wait_until
from tests.realtime.outputs.streams.synthetic_stream import BODY, solved_at, stream
from tests.realtime.outputs.streams.vmc.vmc_receiver import received

SCHEMAS = Path(__file__).resolve().parents[5] / "docs" / "schemas"
STATUS = LiveStatus(source="demo clip", estimator="landmarks", backend="cpu", dropped=3)


def valid(message: bytes) -> str:
    """The topic of a message that is what its schema says."""
    topic, _, text = message.partition(b" ")
    schema = json.loads((SCHEMAS / f"{topic.decode()}.json").read_text())
    jsonschema.validate(json.loads(text), schema)
    return topic.decode()


class Streams:
    """The streams of one run, as the program holds them."""

    def __init__(self, *urls: str, fps: float = 30.0) -> None:
        self.run = Run(BODY, status=lambda: LiveStatus(fps=fps))
        self.outputs = open_outputs(LiveConfig(stream=urls), self.run)

    def port(self, which: int = 0) -> int:
        return self.outputs[which].address.port

    def put(self, solved: SolvedFrame) -> None:
        for output in self.outputs:
            output.put(solved)

    def tick(self) -> None:
        for output in self.outputs:
            output.tick()

    def tell(self, state: State, message: str = "") -> None:
        for output in self.outputs:
            output.tell(replace(STATUS, state=state, message=message))

    def close(self) -> None:
        close_outputs(self.outputs)


class Listener:
    """A subscriber on a thread that keeps every message."""

    def __init__(self, port: int) -> None:
        self.messages: list[bytes] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.subscribe(b"")
        self._socket.connect(f"tcp://127.0.0.1:{port}")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def topics(self) -> list[str]:
        return [valid(message) for message in list(self.messages)]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(10):
                self.messages.append(self._socket.recv())


@pytest.fixture
def streams():
    with nothing_left_behind():
        opened = Streams("zmq://127.0.0.1:0")
        yield opened
        opened.close()


@pytest.fixture
def listener(streams: Streams):
    listener = Listener(streams.port())

    def heard() -> bool:
        streams.tell("running")
        streams.tick()
        return bool(listener.messages)

    wait_until(heard)
    streams.tell("running", "from here on")
    streams.tick()
    wait_until(lambda: b"from here on" in listener.messages[-1])
    listener.messages.clear()
    yield listener
    listener.close()


def test_every_frame_reaches_every_stream() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as vmc:
        vmc.bind(("127.0.0.1", 0))
        vmc.settimeout(5)
        urls = ["zmq://:0", "ws://:0", "zmq://:0?tokens=1", f"vmc://127.0.0.1:{vmc.getsockname()[1]}"]
        with nothing_left_behind():
            streams = Streams(*urls)
            plain, tokens = Listener(streams.port(0)), Listener(streams.port(2))
            with connect(f"ws://127.0.0.1:{streams.port(1)}", proxy=None) as page:
                wait_until(lambda: (streams.tell("running"), streams.tick(), plain.messages)[-1])
                wait_until(lambda: (streams.tell("running"), streams.tick(), tokens.messages)[-1])
                streams.put(solved_at(0.25, 41))
                wait_until(lambda: "pose" in plain.topics())
                wait_until(lambda: "pose" in tokens.topics())
                text = ""
                while not text.startswith("pose "):
                    text = str(page.recv(timeout=5))
                assert valid(text.encode()) == "pose"
                assert len(received(vmc)) == 25
            poses = [next(m for m in heard.messages if m.startswith(b"pose ")) for heard in (plain, tokens)]
            plain.close()
            tokens.close()
            streams.close()
    people = [json.loads(pose.partition(b" ")[2])["people"][0] for pose in poses]
    assert "tokens" not in people[0]
    assert people[1].pop("tokens") == list(range(40))
    assert people[0] == people[1] == json.loads(text.partition(" ")[2])["people"][0]


def test_the_skeleton_comes_every_second_with_frames_or_without(
    streams: Streams, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.monotonic()
    for step in range(1, 101):  # ten seconds on the faked clock
        monkeypatch.setattr(time, "monotonic", lambda now=start + 0.1 * step: now)
        if step % 3:
            streams.tick()
        else:
            streams.put(solved_at(0.1 * step, step))
        time.sleep(0.002)
    monkeypatch.undo()
    streams.tell("lost")
    streams.tick()
    wait_until(lambda: b'"lost"' in listener.messages[-1])
    assert listener.topics().count("skeleton") in (9, 10)  # the first may have come with the listener


def test_news_are_told_once_and_in_order(streams: Streams, listener: Listener) -> None:
    for state in ("lost", "reconnecting", "running"):
        streams.tell(state, "x")
    streams.tick()
    streams.tick()
    streams.tell("lost")
    streams.put(solved_at(0, 0))  # a frame takes them along
    wait_until(lambda: "pose" in listener.topics())
    told = [json.loads(m.partition(b" ")[2]) for m in listener.messages if m.startswith(b"status ")]
    assert [news["state"] for news in told] == ["lost", "reconnecting", "running", "lost"]
    assert told[0] == {
        **{"v": 1, "state": "lost", "message": "x"},
        **{"source": "demo clip", "estimator": "landmarks", "backend": "cpu", "dropped": 3},
    }


def test_the_last_word_arrives_before_the_port_closes(streams: Streams, listener: Listener) -> None:
    streams.tell("ended", "stage 'solve' failed")
    streams.close()
    streams.close()
    streams.tick()
    streams.put(solved_at(0, 0))  # after the end: nothing happens
    wait_until(lambda: [b'"ended"' in message for message in listener.messages] == [True])


def test_what_cannot_be_opened_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, nothing_left_behind():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        for bad, message in (
            (f"ws://127.0.0.1:{taken.getsockname()[1]}", "is taken"),
            (f"zmq://127.0.0.1:{taken.getsockname()[1]}", "is taken"),
            (f"ws://127.0.0.1:{free}", "is taken"),  # by ourselves
            ("udp://x", "write vmc://x"),
        ):
            with pytest.raises(StreamError, match=message):
                Streams(f"zmq://127.0.0.1:{free}", "ws://127.0.0.1:0", bad)
            assert can_listen(free)


def test_where_it_streams_is_logged_and_an_open_door_is_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "realtime"):
        streams = Streams("zmq://127.0.0.1:0", "ws://0.0.0.0:0")
        ports = [streams.port(k) for k in (0, 1)]
        streams.close()
    lines = [record.message for record in caplog.records]
    assert lines[:2] == [f"streaming to zmq://127.0.0.1:{ports[0]}", f"streaming to ws://0.0.0.0:{ports[1]}"]
    assert lines[2].endswith("everybody on that network can watch")


def test_frames_keep_coming_while_garbage_is_sent() -> None:
    with nothing_left_behind():
        streams = Streams("zmq://:0", "ws://:0")
        listener = Listener(streams.port())
        vandals = [
            threading.Thread(target=send_garbage, args=(streams.port(which), heads, seed))
            for seed, (which, heads) in enumerate(
                [(0, (b"", b"\xff" + bytes(8) + b"\x7f\x03\0NULL" + bytes(48))), (1, (b"", b"GET / HTTP/1.1\r\n"))]
            )
        ]
        wait_until(lambda: (streams.tell("running"), streams.tick(), listener.messages)[-1])
        for vandal in vandals:
            vandal.start()
        frames = stream(200, 100.0)
        for solved in frames:
            streams.put(solved)
            time.sleep(0.002)
        for vandal in vandals:
            vandal.join()
        wait_until(lambda: listener.topics()[-1] == "pose")
        seen = [json.loads(m.partition(b" ")[2])["seq"] for m in listener.messages if m.startswith(b"pose ")]
        listener.close()
        streams.close()
    assert seen == sorted(seen)
    assert len(seen) > len(frames) / 2
