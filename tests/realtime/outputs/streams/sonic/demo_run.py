"""A run of the demo clip, heard as a robot does and as a subscriber of the wire format does, and both compared.

A frame for the robot lies between two of our poses, or beyond them, each joint along its geodesic, all by one share.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from scipy.spatial.transform import Rotation

from tests.realtime.outputs.streams.sonic.sonic_reader import PARENTS, joints_of, read, root_of, sent_joints_of
from tests.terminal import ROOT

PERIOD_S = 0.02
WITHIN_M = 1e-3
_TURNS = 22  # the root and the joints that a robot gets
_OLDEST_S = 0.25  # age of our poses that a frame may be made of


@dataclass(frozen=True)
class Ours:
    """A pose of the wire format."""

    t_capture: float
    t_publish: float
    rotations: Rotation  # 22
    bones: np.ndarray  # (24, 3) metres, from parent to joint

    @classmethod
    def of(cls, message: dict[str, Any], skeleton: dict[str, Any]) -> Ours:
        person = message["people"][0]
        shape = np.array(person["betas"]) - skeleton["betas"]
        bones = np.array(skeleton["offsets"]) + np.array(skeleton["shape_offsets"]) @ shape
        turns = Rotation.from_quat(person["rotations"][:_TURNS])
        return cls(message["t_capture"], message["t_publish"], turns, person.get("scale", 1.0) * bones)


@dataclass(frozen=True)
class Compared:
    """A frame for the robot beside our poses."""

    t: float  # of its arrival, Unix
    header: dict[str, Any]
    fields: dict[str, np.ndarray]
    near: int  # poses of ours that it may be made of
    away_m: float  # its joints, by forward kinematics, from those on the way between two of our poses
    differ_m: float  # `smpl_joints` from the same forward kinematics
    lag_s: float  # from the moment that it shows until its arrival; nan beyond our poses
    latency_s: float  # from capture until our poses were published, meanwhile

    @property
    def is_ours(self) -> bool:
        return self.away_m < WITHIN_M


class DemoRun:
    """What came of both streams. A thread hears them, so that arrivals are exact."""

    def __init__(self, sonic_port: str, wire_port: str) -> None:
        self._ports = {"sonic": sonic_port, "wire": wire_port}
        self._ours: list[Ours] = []
        self._heard: list[tuple[float, bytes]] = []
        self._compared: list[Compared] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def compared(self) -> list[Compared]:
        """All frames that came so far, but for the newest: our poses from both sides of a frame must be there."""
        until, begun = time.time() - 0.1, len(self._compared)
        self._compared += [self._compare(*each) for each in self._heard[begun:] if each[0] < until]
        return self._compared

    def _hear(self) -> None:
        skeleton: dict[str, Any] = {}
        with zmq.Context() as context, context.socket(zmq.SUB) as sonic, context.socket(zmq.SUB) as wire:
            poller = zmq.Poller()
            for socket, name in ((sonic, "sonic"), (wire, "wire")):
                socket.linger = 0
                socket.subscribe(b"pose" if name == "sonic" else b"")
                socket.connect(f"tcp://127.0.0.1:{self._ports[name]}")
                poller.register(socket, zmq.POLLIN)
            while not self._ended.is_set():
                came = dict(poller.poll(100))
                if sonic in came:
                    self._heard.append((time.time(), sonic.recv()))
                if wire in came:
                    topic, _, text = wire.recv().decode().partition(" ")
                    fields = json.loads(text)
                    if topic == "skeleton":
                        skeleton = fields
                    elif topic == "pose" and skeleton and fields["people"]:
                        self._ours.append(Ours.of(fields, skeleton))

    def _compare(self, t: float, message: bytes) -> Compared:
        header, fields = read(message)
        near = [each for each in list(self._ours) if 0 < t - each.t_capture < _OLDEST_S]
        if len(near) < 3:
            return Compared(t, header, fields, 0, np.inf, np.nan, np.nan, np.nan)
        turns = Rotation.concatenate([root_of(fields), Rotation.from_rotvec(fields["smpl_pose"])])
        nearest_rad = np.inf
        for first, second in [*itertools.pairwise(near), *zip(near, near[2:], strict=False)]:
            way = (first.rotations.inv() * second.rotations).as_rotvec()
            gone = (first.rotations.inv() * turns).as_rotvec()
            share = max(0.0, float((way * gone).sum() / max((way * way).sum(), 1e-12)))
            off_rad = float(np.abs(gone - share * way).max())
            if off_rad < nearest_rad:
                nearest_rad, on_way = off_rad, first.rotations * Rotation.from_rotvec(share * way)
                bones = first.bones + min(share, 1.0) * (second.bones - first.bones)
                shown = first.t_capture + share * (second.t_capture - first.t_capture)
                lag_s = t - shown if share <= 1 else np.nan
        away_m = float(np.abs(_joints(on_way, bones) - _joints(turns, bones)).max())
        differ_m = float(np.abs(joints_of(fields, _rest(bones)) - sent_joints_of(fields)).max())
        latency_s = float(np.mean([each.t_publish - each.t_capture for each in near]))
        return Compared(t, header, fields, len(near), away_m, differ_m, lag_s, latency_s)


def _rest(bones: np.ndarray) -> np.ndarray:
    rest = np.zeros((24, 3))
    for joint in range(1, 24):
        rest[joint] = rest[PARENTS[joint]] + bones[joint]
    return rest


def _joints(turns: Rotation, bones: np.ndarray) -> np.ndarray:
    """Places (24, 3) less the pelvis."""
    local = turns.as_matrix()
    world, places = [local[0]], [np.zeros(3)]
    for joint in range(1, 24):
        above = PARENTS[joint]
        places.append(places[above] + world[above] @ bones[joint])
        world.append(world[above] @ local[joint] if joint < _TURNS else world[above])
    return np.array(places)


def changes(frames: list[Compared]) -> tuple[float, float]:
    """The largest turn of the root or a joint (degrees), and move of a joint (m), from each frame to the next one."""
    turns = [Rotation.concatenate([root_of(f.fields), Rotation.from_rotvec(f.fields["smpl_pose"])]) for f in frames]
    degrees = [np.degrees((a.inv() * b).magnitude().max()) for a, b in itertools.pairwise(turns)]
    moves = np.diff([each.fields["smpl_joints"] for each in frames], axis=0)
    return float(max(degrees)), float(np.linalg.norm(moves, axis=-1).max())


@contextlib.contextmanager
def demo_run(report: Path, *options: str) -> Iterator[DemoRun]:
    """Start the program as a user does, and hear it; it ends by Ctrl-C, and then the report is there."""
    command = [sys.executable, str(ROOT / "run_live.py"), "--demo", "--view", "none", "--report", str(report), *options]
    command += ["--stream", "sonic://127.0.0.1:0", "--stream", "zmq://127.0.0.1:0"]
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr is not None
        log = ""
        while len(ports := dict(re.findall(r"streaming to (sonic|zmq)://127\.0\.0\.1:(\d+)\n", log))) < 2:
            line = process.stderr.readline()
            assert line, log
            log += line
        run = DemoRun(ports["sonic"], ports["zmq"])
        try:
            yield run
        finally:
            run.close()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert process.returncode == 0, log + rest
    finally:
        process.kill()
        process.communicate()
