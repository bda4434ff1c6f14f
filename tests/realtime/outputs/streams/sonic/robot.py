"""A robot's side of the stream under a clock that the test moves, and people to send it."""

from __future__ import annotations

import contextlib
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
from realtime.outputs.streams.sonic.sonic_stream import SonicStream
from tests.realtime.outputs.streams.sonic.sonic_reader import read
from tests.realtime.outputs.streams.synthetic_stream import person_at, quaternions_at, rotmats_of

LATENCY_S = 0.016  # from capture until the stream has the pose
PERIOD_S = 0.02
BODY = load_body("open")
_IMAGE = np.zeros((4, 4, 3), np.uint8)


class SteppedClock:
    """A clock that stands still until the test moves it. One thread sleeps by it."""

    def __init__(self, t: float = 1000.0) -> None:
        self._t = t
        self._wake: float | None = None
        self._moved = threading.Condition()

    def now(self) -> float:
        with self._moved:
            return self._t

    def sleep_until(self, t: float, ended: threading.Event) -> None:
        with self._moved:
            self._wake = t
            self._moved.notify_all()
            while self._t < self._wake and not ended.is_set():
                self._moved.wait(0.005)
            self._wake = None

    def set_back(self, seconds: float) -> None:
        """Set the clock back; the sleeper wakes no later for that."""
        with self._moved:
            assert self._wake is not None
            self._t -= seconds
            self._wake -= seconds

    @property
    def due(self) -> float:
        """When the sleeper is to wake."""
        with self._moved:
            assert self._moved.wait_for(lambda: self._wake is not None and self._wake > self._t, 10)
            assert self._wake is not None
            return self._wake

    def set(self, t: float) -> None:
        """Set the clock, and wait until the thread sleeps again."""
        with self._moved:
            self._t = t
            self._moved.notify_all()
            assert self._moved.wait_for(lambda: self._wake is not None and self._wake > self._t, 10)


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
    """Receiver of one stream, and the stream's clock."""

    def __init__(self, stream: SonicStream, clock: SteppedClock, socket: zmq.Socket[bytes]) -> None:
        self.stream, self.clock, self._socket = stream, clock, socket
        self.outcome = Outcome("")

    @property
    def sent(self) -> int:
        return self.stream._guard.tally.sent

    def beat(self) -> Beat:
        """Let the next beat happen."""
        before, t = self.sent, self.clock.due
        self.clock.set(t)
        if self.sent == before:
            return Beat(t, None)
        header, fields = read(self._socket.recv())
        assert fields["frame_index"] == self.sent - 1
        return Beat(t, fields, header)

    def play(self, frames: Iterable[SolvedFrame], latency_s: Callable[[int], float] | None = None) -> list[Beat]:
        """Deliver each frame that long after its capture, with all beats until the last one."""
        beats = []
        for k, solved in enumerate(frames):
            arrives = solved.frame.t_capture + (LATENCY_S if latency_s is None else latency_s(k))
            arrives -= 1e-6  # before a beat at the same moment
            while self.clock.due < arrives:
                beats.append(self.beat())
            self.clock.set(max(arrives, self.clock.now()))
            self.stream.put(solved)
        return beats

    def wait(self, seconds: float) -> list[Beat]:
        """The beats of that time, without a new frame."""
        return [self.beat() for _ in range(round(seconds / PERIOD_S))]


@contextlib.contextmanager
def robot(options: str = "", first: Person | None = None) -> Iterator[Robot]:
    """A stream of `first`, who stands still, and a robot that gets it since a moment ago."""
    clock, context = SteppedClock(), zmq.Context()
    stream = SonicStream(parse_stream_url(f"sonic://127.0.0.1:0{options}"), BODY, clock)
    socket = context.socket(zmq.SUB)
    try:
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        socket.setsockopt(zmq.SUBSCRIBE, b"pose")
        socket.connect(f"tcp://127.0.0.1:{stream.address.port}")
        side = Robot(stream, clock, socket)
        person = first or person_of(slow(0.0))

        def stand() -> None:
            stream.put(solved_with(clock.now() - LATENCY_S, person))
            clock.set(clock.due)

        for _ in range(5000):  # until it is connected
            stand()
            if socket.poll(2):
                break
        while read(socket.recv())[1]["frame_index"] < side.sent - 1:
            if not socket.poll(100):  # the newest was dropped, because the robot did not take them as fast
                stand()
        yield side
    finally:
        outcome = stream.close()
        side.outcome = outcome
        context.destroy(linger=0)
