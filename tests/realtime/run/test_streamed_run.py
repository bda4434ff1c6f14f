"""Streams of the program as a user runs it: what subscribers get is what the session file holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from scipy.spatial.transform import Rotation

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from tests.network_camera import NetworkCamera

ROOT = Path(__file__).resolve().parents[3]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
COMMAND = [sys.executable, str(ROOT / "run_live.py"), "--view", "none"]
Message = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def assets() -> None:
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)


def joints(skeleton: dict[str, Any], person: dict[str, Any]) -> np.ndarray:
    away = np.array(person["betas"]) - skeleton["betas"]
    offsets = np.array(skeleton["offsets"]) + np.array(skeleton["shape_offsets"]) @ away
    turns, places = [Rotation.from_quat(person["rotations"][0])], [np.array(person["trans"])]
    for joint, parent in enumerate(skeleton["parents"][1:], 1):
        places.append(places[parent] + turns[parent].apply(offsets[joint]))
        turns.append(turns[parent] * Rotation.from_quat(person["rotations"][joint]))
    return np.array(places)


@contextlib.contextmanager
def streaming(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], Iterator[Message]]]:
    """Run the program with a ZeroMQ stream; gives the process and its messages up to the last one."""
    command = [*COMMAND, *arguments, "--stream", "zmq://127.0.0.1:0"]
    process = subprocess.Popen(command, env=NO_DISPLAY, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        log = ""
        while (address := re.search(r"streaming to zmq://127\.0\.0\.1:(\d+)\n", log)) is None:
            line = process.stderr.readline()
            assert line, log
            log += line
        with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
            subscriber.linger = 0
            subscriber.subscribe(b"")
            subscriber.connect(f"tcp://127.0.0.1:{address[1]}")
            yield process, messages(subscriber)
    finally:
        process.kill()
        process.communicate()


def messages(subscriber: zmq.Socket[bytes]) -> Iterator[Message]:
    state = ""
    while state != "ended":
        assert subscriber.poll(60_000), "it fell silent"
        topic, _, text = subscriber.recv().decode().partition(" ")
        fields = json.loads(text)
        state = fields["state"] if topic == "status" else state
        yield topic, fields


def test_subscribers_get_what_is_recorded(tmp_path: Path) -> None:
    session, report = tmp_path / "s.npz", tmp_path / "r.json"
    options = [
        "--demo",
        "--smoothing",
        "off",
        "--feet",
        "off",
        "--seconds",
        "3",
        "--record",
        str(session),
        "--report",
        str(report),
    ]
    received: dict[str, list[dict[str, Any]]] = {"skeleton": [], "pose": [], "status": []}
    with streaming(*options) as (process, arriving):
        for topic, fields in arriving:
            received[topic].append(fields)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert 2 <= len(received["skeleton"]) <= 5
    assert all(status["source"] == "demo clip" for status in received["status"])

    with np.load(session) as recorded:
        raw = dict(zip(recorded["raw_seq"].tolist(), recorded["raw_joints"], strict=True))
    people = [(pose["seq"], person) for pose in received["pose"] for person in pose["people"]]
    assert len(people) > 10
    for seq, person in people:
        away = np.linalg.norm(joints(received["skeleton"][-1], person) - raw[seq], axis=-1)
        assert away.max() < 1e-3
    figures = json.loads(report.read_text())
    assert figures["stages_ms"]["publish"]["count"] == figures["latency_ms"]["count"] >= len(received["pose"])
    assert all(pose["t_publish"] >= pose["t_capture"] for pose in received["pose"])


def test_subscribers_hear_of_a_lost_camera() -> None:
    states = []
    with NetworkCamera(fps=15) as camera, streaming("--url", camera.url) as (process, arriving):
        for topic, fields in arriving:
            if topic == "pose" and len(states) < 3:
                camera.drop()
            elif topic == "status":
                states.append(fields["state"])
                if states[-2:] == ["reconnecting", "running"]:
                    process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert states[-4:] == ["lost", "reconnecting", "running", "ended"]


def test_a_taken_port_is_one_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*COMMAND, "--demo", "--stream", f"zmq://127.0.0.1:{port}"]
        done = subprocess.run(command, env=NO_DISPLAY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2, done.stderr
    assert f"port {port} is taken" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
