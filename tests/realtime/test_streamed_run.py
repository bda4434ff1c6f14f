"""Streams of the program as a user runs it: what subscribers get is what the session file holds."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq
from scipy.spatial.transform import Rotation

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch

ROOT = Path(__file__).resolve().parents[2]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
COMMAND = [sys.executable, str(ROOT / "run_live.py"), "--demo", "--view", "none"]


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


def test_subscribers_get_what_is_recorded(tmp_path: Path) -> None:
    session, report = tmp_path / "s.npz", tmp_path / "r.json"
    options = ["--smoothing", "off", "--seconds", "3", "--record", str(session), "--report", str(report)]
    process = subprocess.Popen(
        [*COMMAND, *options, "--stream", "zmq://127.0.0.1:0"], env=NO_DISPLAY, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    log = ""
    while (streaming := re.search(r"streaming to zmq://127\.0\.0\.1:(\d+)\n", log)) is None:
        line = process.stderr.readline()
        assert line, log
        log += line
    received: dict[str, list[dict[str, Any]]] = {"skeleton": [], "pose": [], "status": []}
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.linger = 0
        subscriber.subscribe(b"")
        subscriber.connect(f"tcp://127.0.0.1:{streaming[1]}")
        while not (received["status"] and received["status"][-1]["state"] == "ended"):
            assert subscriber.poll(60_000), "it fell silent"
            topic, _, text = subscriber.recv().decode().partition(" ")
            received[topic].append(json.loads(text))
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 0, log + rest
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


def test_a_taken_port_is_one_line_and_exit_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for scheme in ("zmq", "ws"):
            command = [*COMMAND, "--stream", f"{scheme}://127.0.0.1:{port}"]
            done = subprocess.run(command, env=NO_DISPLAY, capture_output=True, text=True, timeout=60)
            assert done.returncode == 2, done.stderr
            assert f"port {port} is taken" in done.stderr.strip().splitlines()[-1]
            assert "Traceback" not in done.stderr
