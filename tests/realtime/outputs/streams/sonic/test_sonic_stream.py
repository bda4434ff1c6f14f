"""The stream with the process that sends: its address, what it tells the program, its end, and its death."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable

import psutil
import pytest
import zmq

from engine.errors import UserError
from realtime.outputs import open_stream, parse_stream_url
from realtime.outputs.output import Output, Run
from realtime.outputs.streams.sonic.sonic_stream import SonicStream
from realtime.outputs.streams.url import StreamError
from tests.realtime.outputs.streams.sockets import can_listen, nothing_left_behind, wait_until
from tests.realtime.outputs.streams.sonic.robot import BODY, person_of, slow, solved_with
from tests.realtime.outputs.streams.sonic.sonic_reader import read


@pytest.fixture(scope="module", autouse=True)
def helper() -> None:
    """Start the process that multiprocessing keeps from the first one on, before what is left behind is counted."""
    opened().close()


def opened() -> SonicStream:
    stream = open_stream("sonic://127.0.0.1:0", Run(BODY))
    assert isinstance(stream, SonicStream)
    return stream


def ticking(output: Output, condition: Callable[[], bool]) -> None:
    """Do what the program's main thread does, until it has happened."""

    def ticked() -> bool:
        output.tick()
        return condition()

    wait_until(ticked)


def stand(stream: SonicStream, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        stream.put(solved_with(time.monotonic() - 0.016, person_of(slow(0.0))))
        stream.tick()
        time.sleep(1 / 30)


def test_it_sends_and_tells_the_program_of_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "realtime.outputs.streams.sonic"), zmq.Context() as context:
        stream = opened()
        robot = context.socket(zmq.SUB)
        robot.linger = 0
        robot.subscribe(b"pose")
        robot.connect(f"tcp://127.0.0.1:{stream.address.port}")
        stand(stream, 1.0)
        indices = []
        while robot.poll(300):
            indices.append(int(read(robot.recv())[1]["frame_index"]))
        ticking(stream, lambda: stream.words.endswith(", held (stale)"))
        stand(stream, 0.5)
        ticking(stream, lambda: stream.words == f"streaming to {stream.address}")
        outcome = stream.close()
        robot.close()
    assert len(indices) > 10
    assert indices == list(range(indices[0], indices[-1] + 1))
    assert outcome.frames >= indices[-1] + 1
    assert (outcome.failed, outcome.counts["holds: stale"] >= 1, outcome.counts["ramps"] >= 1) == ("", True, True)
    lines = [record.getMessage() for record in caplog.records]
    assert any("priority" in line for line in lines)
    assert f"{stream.address}: the robot holds its pose: the last picture is too old" in lines
    assert f"{stream.address}: the robot eases to person 1 within a second" in lines


def test_it_leaves_nothing_behind_and_takes_frames_when_closed() -> None:
    with nothing_left_behind():
        stream = opened()
        pid, port = stream.pid, stream.address.port
        stand(stream, 0.1)
        stream.close()
        stand(stream, 0.1)
        assert stream.close().kind == "stream"
        assert stream.words == ""
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert can_listen(port)


def test_a_process_that_dies_is_told_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stream = opened()
    stand(stream, 0.2)
    assert stream.pid is not None
    os.kill(stream.pid, signal.SIGKILL)
    ticking(stream, lambda: stream.words == "")
    stand(stream, 0.2)
    assert "its process died (exit code -9)" in stream.close().failed
    assert "nothing is sent any more: its process died (exit code -9); the run goes on" in caplog.text


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with nothing_left_behind(), pytest.raises(StreamError, match=f"port {port} is taken") as raised:
            open_stream(f"sonic://127.0.0.1:{port}", Run(BODY))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sonic://127.0.0.1?v=4", "v is 3 or 2, not '4'"),
        ("sonic://127.0.0.1?curve=keys", "sonic has no option 'curve'"),
        ("sonic://127.0.0.1:0?person=me", "person is performer, nearest"),
    ],
)
def test_a_wrong_address_is_one_line(url: str, message: str) -> None:
    with nothing_left_behind(), pytest.raises(StreamError, match=message) as raised:
        open_stream(url, Run(BODY))
    assert "\n" not in str(raised.value)


def test_the_default_port_is_not_that_of_the_web_socket() -> None:
    assert parse_stream_url("sonic://127.0.0.1").port == 5557


def test_a_file_that_is_read_offline_drives_no_robot() -> None:
    with nothing_left_behind(), pytest.raises(UserError, match="leave --offline out"):
        open_stream("sonic://127.0.0.1:0", Run(BODY, offline=True))
