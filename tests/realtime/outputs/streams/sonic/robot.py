"""A robot's side of the stream under a clock that the test moves, and people to send it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import zmq

from engine.body.files import load_body
from engine.body.kinematics import forward_kinematics
from realtime.kernel.messages import Frame, Person, SolvedFrame, WorldPose
from realtime.outputs import parse_stream_url
from realtime.outputs.output import Outcome
from realtime.outputs.streams.sonic.beats import beats
from realtime.outputs.streams.sonic.guard import RATE_HZ
from realtime.outputs.streams.sonic.seen import Watcher
from realtime.outputs.streams.sonic.sender import Ended, Sender
from realtime.outputs.streams.sonic.sonic_stream import outcome
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.whom import whom_of
from realtime.outputs.streams.wire.zmq_stream import ZmqStream
from tests.realtime.outputs.streams.sonic.sonic_reader import read
from tests.realtime.outputs.streams.synthetic_stream import person_at, quaternions_at, rotmats_of

logger = logging.getLogger("realtime.outputs.streams.sonic")  # of what the sender tells
LATENCY_S = 0.016  # from capture until the stream has the pose
PERIOD_S = 0.02
BODY = load_body("open")
_IMAGE = np.zeros((4, 4, 3), np.uint8)


class JumpingClock:
    """A clock that jumps to the time for which somebody sleeps, and otherwise stands still."""

    def __init__(self, t: float = 1000.0) -> None:
        self.t = t
        self.set_back_s = 0.0  # since the last sleep

    def now(self) -> float:
        return self.t

    def sleep_until(self, t: float, ended: threading.Event) -> None:
        self.t = max(self.t, t - self.set_back_s)
        self.set_back_s = 0.0

    def set_back(self, seconds: float) -> None:
        """Set the clock back; the sleeper wakes no later for that."""
        self.t -= seconds
        self.set_back_s += seconds


def person_of(quaternions: np.ndarray, *, id: int = 1, valid: bool = True, scale: float = 1.0) -> Person:
    """Somebody of the free body in a pose of (24, 4) quaternions."""
    rest = scale * BODY.rest_joints(person_at(0.0).betas[None])
    joints = forward_kinematics(rotmats_of(quaternions)[None].astype(np.float32), rest)[1][0]
    trans = np.array([0.3, 1.0, -0.2], np.float32)
    pose = WorldPose(quaternions.astype(np.float32), trans, joints + trans)
    return replace(person_at(0.0, id=id, valid=valid, scale=scale), pose=pose)


def slow(t: float) -> np.ndarray:
    """(24, 4): every joint swings, at most half a radian a second."""
    return quaternions_at(0.25 * t)


def rest_joints(person: Person) -> np.ndarray:
    return person.scale * BODY.rest_joints(person.betas[None])[0].astype(float)


def solved_with(t_capture: float, *people: Person, performer: int | None = None) -> SolvedFrame:
    return SolvedFrame(Frame(_IMAGE, 0, t_capture), people, t_capture, performer=performer)


@dataclass(frozen=True)
class Beat:
    """What the robot got at one beat."""

    t: float
    fields: dict[str, np.ndarray] | None  # None: nothing was sent
    header: dict[str, object] | None = None


class Robot:
    """Receiver of one stream, whose sender and clock belong to the test."""

    def __init__(self, url: StreamUrl) -> None:
        self.clock = JumpingClock()
        self.outcome = Outcome("")
        self._watcher = Watcher(whom_of(url), BODY)
        self._transport = ZmqStream(url)
        self.address = self._transport.address
        self._sender = Sender(str(self.address), url.options["v"], logger.log)
        self._beats = beats(self.clock, RATE_HZ, threading.Event())
        self._due = self.clock.t
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVTIMEO, 10_000)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"pose")
        self._socket.connect(f"tcp://127.0.0.1:{self.address.port}")

    @property
    def sent(self) -> int:
        return self._sender.guard.tally.sent

    @property
    def holding(self) -> str:
        return self._sender.guard.holding

    @property
    def due(self) -> float:
        """When the next beat is."""
        return self._due - self.clock.set_back_s

    def put(self, solved: SolvedFrame) -> None:
        self._sender.see(self._watcher.see(self.clock.now(), solved))

    def beat(self) -> Beat:
        """Let the next beat happen."""
        due = next(self._beats)
        message = self._sender.message(due)
        self._due = due.t + PERIOD_S
        if self._due - self.clock.now() > 2 * PERIOD_S:
            self._due = self.clock.now() + PERIOD_S
        if message is None:
            return Beat(due.t, None)
        self._transport.send(message)
        header, fields = read(self._socket.recv())
        assert fields["frame_index"] == self.sent - 1
        return Beat(due.t, fields, header)

    def play(self, frames: Iterable[SolvedFrame], latency_s: Callable[[int], float] | None = None) -> list[Beat]:
        """Deliver each frame that long after its capture, with all beats until the last one."""
        beats = []
        for k, solved in enumerate(frames):
            arrives = solved.frame.t_capture + (LATENCY_S if latency_s is None else latency_s(k))
            arrives -= 1e-6  # before a beat at the same moment
            while self.due < arrives:
                beats.append(self.beat())
            self.clock.t = max(arrives, self.clock.t)
            self.put(solved)
        return beats

    def wait(self, seconds: float) -> list[Beat]:
        """The beats of that time, without a new frame."""
        return [self.beat() for _ in range(round(seconds / PERIOD_S))]

    def connect(self, person: Person) -> None:
        """Stand until the robot hears the stream."""
        for k in range(5000):
            self.put(solved_with(self.clock.now() - LATENCY_S, person))
            message = self._sender.message(next(self._beats))
            self._due = self.clock.now() + PERIOD_S
            assert message is not None
            self._transport.send(message)
            if self._socket.poll(2) and k > 2:
                break
        while read(self._socket.recv())[1]["frame_index"] < self.sent - 1:
            pass

    def close(self) -> None:
        self._transport.close()
        self._context.destroy(linger=0)
        self.outcome = outcome(self.address, Ended(self._sender.guard.tally))


@contextlib.contextmanager
def robot(options: str = "", first: Person | None = None) -> Iterator[Robot]:
    """A stream of `first`, who stands still, and a robot that gets it since a moment ago."""
    side = Robot(parse_stream_url(f"sonic://127.0.0.1:0{options}"))
    try:
        side.connect(first or person_of(slow(0.0)))
        yield side
    finally:
        side.close()
