"""The stream to Rerun's viewer, received by Rerun's own program, which writes what comes to a file."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.outputs import open_stream
from realtime.outputs.output import Output, Run
from realtime.outputs.rerun import viewer
from realtime.outputs.rerun.moment import Subject
from realtime.outputs.rerun.rerun_stream import RerunStream
from realtime.outputs.streams.url import StreamError, parse
from tests.realtime.outputs.rerun.rrd_file import RrdFile
from tests.realtime.outputs.streams.synthetic_stream import BODY, solved_at

JOINTS = "/world/people/1/joints", "Points3D:positions"
Listen = Callable[[Path, int], subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Starts Rerun's program, which writes what is streamed to it."""
    started: list[subprocess.Popen[bytes]] = []

    def start(path: Path, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", "import os, rerun_cli, sys; folder = os.path.dirname(rerun_cli.__file__); "]
        command[-1] += "os.execv(os.path.join(folder, 'rerun'), ['rerun', *sys.argv[1:]])"  # one process to stop
        options = ["--save", str(path), "--bind", "127.0.0.1", "--port", str(port)]
        started.append(
            subprocess.Popen([*command, *options], env=viewer.viewer_environment(), stdout=subprocess.DEVNULL)
        )
        until = time.monotonic() + 30
        while not viewer.listens("127.0.0.1", port):
            assert time.monotonic() < until
            time.sleep(0.05)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def send(output: Output, first: int, count: int, wait_s: float = 0.02) -> list[SolvedFrame]:
    frames = [solved_at(k / 30, k) for k in range(first, first + count)]
    for frame in frames:
        output.put(frame)
        output.tick()
        time.sleep(wait_s)
    return frames


def send_until(output: Output, happens: Callable[[], bool], first: int = 0) -> int:
    """Sends frames until something happens; returns the number of the next one."""
    until = time.monotonic() + 60
    while not happens():
        assert time.monotonic() < until
        first += len(send(output, first, 1))
    return first


def is_begun(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 20_000


def test_frames_arrive_with_their_times(listen: Listen, port: int, tmp_path: Path) -> None:
    receiver = listen(tmp_path / "got.rrd", port)
    output = open_stream(f"rerun://127.0.0.1:{port}", Run(BODY))
    assert output.words == f"streaming to rerun://127.0.0.1:{port}"
    assert output.newest_wins
    last = send_until(output, lambda: is_begun(tmp_path / "got.rrd"))
    frames = send(output, last, 10, wait_s=0.2)
    output.close()
    receiver.send_signal(signal.SIGINT)
    receiver.wait(30)
    times, joints = RrdFile(tmp_path / "got.rrd").arrays(*JOINTS)
    assert times == sorted(set(times))
    assert times[-1] == round((frames[-1].frame.t_capture - 1000.0) * 1e9)  # the newest always arrives
    assert len(times) > 1
    for t_ns, got in zip(times, joints, strict=True):
        sent = solved_at(round(30e-9 * t_ns) / 30, 0).people[0]
        np.testing.assert_allclose(got, sent.pose.joints, atol=1e-6)


def test_a_viewer_that_hangs_misses_frames_and_delays_nothing(listen: Listen, port: int, tmp_path: Path) -> None:
    receiver = listen(tmp_path / "got.rrd", port)
    output = open_stream(f"rerun://127.0.0.1:{port}", Run(BODY))
    last = send_until(output, lambda: is_begun(tmp_path / "got.rrd"))
    assert isinstance(output, RerunStream)
    child = psutil.Process(output.pid)
    receiver.send_signal(signal.SIGSTOP)
    before = child.memory_info().rss
    big = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
    for k in range(last, last + 200):
        frame = solved_at(k / 30, k)
        output.put(type(frame)(type(frame.frame)(big, k, frame.frame.t_capture), frame.people, 0.0))
        time.sleep(0.01)
    assert child.memory_info().rss - before < 60e6  # 200 images are 200 MB as JPEG
    output.close()
    assert not psutil.pid_exists(child.pid)
    receiver.send_signal(signal.SIGCONT)


def test_a_viewer_may_go_and_come(listen: Listen, port: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    receiver = listen(tmp_path / "first.rrd", port)
    output = open_stream(f"rerun://127.0.0.1:{port}", Run(BODY))
    last = send_until(output, lambda: is_begun(tmp_path / "first.rrd"))
    receiver.kill()
    receiver.wait(10)
    last = send_until(output, lambda: "no viewer of Rerun takes frames" in caplog.text, last)
    receiver = listen(tmp_path / "second.rrd", port)
    send_until(output, lambda: is_begun(tmp_path / "second.rrd"), last)
    output.close()
    receiver.send_signal(signal.SIGINT)
    receiver.wait(30)
    file = RrdFile(tmp_path / "second.rrd")
    assert file.of(*JOINTS)[0]
    assert file.static("/world/people/1/mesh", "Mesh3D:triangle_indices")  # what never changes is sent again
    assert caplog.text.count("no viewer of Rerun takes frames") == 1


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("rerun://127.0.0.1:{port}", "no viewer listens there; start it (rerun --bind 127.0.0.1 --port {port})"),
        ("rerun://?x=1", "rerun has no option 'x'; it knows none"),
        ("rerun://127.0.0.1:{port}/proxy", "after host and port comes nothing"),
        ("rerun+http://127.0.0.1:9876/proxy", "Rerun's viewer is rerun:// here"),
    ],
)
def test_wrong_addresses_are_one_line(url: str, told: str, port: int) -> None:
    with pytest.raises(StreamError) as caught:
        open_stream(url.format(port=port), Run(BODY))
    assert told.format(port=port) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_display_no_viewer_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if viewer.listens("127.0.0.1", 9876):
        pytest.skip("a viewer runs on this machine")
    with pytest.raises(StreamError, match="there is no display; name one that runs, as rerun://HOST:9876, or record"):
        open_stream("rerun://", Run(BODY))


def test_without_the_package_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(UserError, match=r"^--stream rerun:// needs rerun-sdk: pip install rerun-sdk$"):
        open_stream("rerun://", Run(BODY))


def test_another_program_at_the_port_does_not_hold_up_the_run(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        output = open_stream(f"rerun://127.0.0.1:{other.getsockname()[1]}", Run(BODY))
        for k in range(100):
            begun = os.times().elapsed
            output.put(solved_at(k / 30, k))
            assert os.times().elapsed - begun < 1.0  # it would wait for five seconds
            time.sleep(0.01)
        output.close()


def test_a_viewer_that_cannot_open_is_told(
    port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DISPLAY", ":no-such-display")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    url = parse("rerun://", port, {})
    output = RerunStream(url, Subject("live", BODY, live=True), opens=True)
    told = "Rerun's viewer cannot open: ", f"no viewer of Rerun takes frames at 127.0.0.1:{port}"
    send_until(output, lambda: any(line in caplog.text for line in told))
    assert "the run goes on" in caplog.text
    output.close()


def test_the_opened_viewer_reaches_no_other_machine(port: int, tmp_path: Path) -> None:
    """Its HTTPS requests go to the proxy of its environment: a stand-in for the one that refuses."""
    command, environment = viewer.viewer_command(port), viewer.viewer_environment()
    assert command[command.index("--bind") + 1] == "127.0.0.1"
    (proxy,) = {value for name, value in environment.items() if name.lower().endswith("s_proxy") and value}
    host, _, number = proxy.removeprefix("http://").partition(":")
    assert not viewer.listens(host, int(number))
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as stand_in:
        url = f"http://127.0.0.1:{stand_in.getsockname()[1]}"
        home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
        watched = {**{name: url if value == proxy else value for name, value in environment.items()}, **home}
        watched.pop("CI", None)  # where it is set the viewer reports nothing
        for session in range(4):  # the first reports nothing
            process = subprocess.Popen(
                [*command, "--save", str(tmp_path / f"{session}.rrd")], env=watched, stderr=subprocess.DEVNULL
            )
            try:
                asked += requests_of(stand_in, 20 if session else 4)
            finally:
                with contextlib.suppress(psutil.NoSuchProcess):
                    for each in psutil.Process(process.pid).children(recursive=True):
                        each.kill()
                process.kill()
                process.wait(10)
            if asked:
                break
    assert any(b"tel.rerun.io" in request for request in asked)


def requests_of(stand_in: socket.socket, seconds: float) -> list[bytes]:
    """The first request within some seconds, if any."""
    stand_in.settimeout(seconds)
    try:
        connection, _ = stand_in.accept()
    except TimeoutError:
        return []
    with connection, connection.makefile("rb") as request:
        connection.settimeout(5)
        return [request.readline()]
