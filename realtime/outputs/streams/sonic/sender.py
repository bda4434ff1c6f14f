"""Sends a robot's frames at an even rate, from a process of its own: the program's threads would delay them.

Python's threads take turns of up to 5 ms, and a frame that waits for its turn is late. Here one thread computes a frame
a moment before it is due, and then only sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Event

import numpy as np

from engine.errors import UserError
from realtime.kernel.child import END
from realtime.kernel.priority import precede_the_pose
from realtime.outputs.streams.sonic import robot_frame
from realtime.outputs.streams.sonic.beats import Beat, beats
from realtime.outputs.streams.sonic.followed import Followed
from realtime.outputs.streams.sonic.guard import RATE_HZ, Guard, Sent, Tally
from realtime.outputs.streams.sonic.packet import NUM_JOINTS, WRIST_JOINTS, Packer
from realtime.outputs.streams.sonic.seen import Seen
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.wire.zmq_stream import ZmqStream
from realtime.outputs.told import Told

AHEAD_S = 0.003  # of its time, when a frame is computed; what arrives later is for the next one


@dataclass(frozen=True)
class Opened:
    """First message of the process: the port is bound."""

    address: StreamUrl
    priority: str  # for the log


@dataclass(frozen=True)
class Refused:
    """First message of a process that cannot bind."""

    why: str


@dataclass(frozen=True)
class Holding:
    """Message about a change: the robot is held, or no longer."""

    why: str  # empty: it is not


@dataclass(frozen=True)
class Ended:
    """Last message: what was sent."""

    tally: Tally
    failed: str = ""  # reason of an early end


class Sender:
    """Follows, guards and packs. One thread."""

    def __init__(self, name: str, version: str, tell: Callable[[int, str], None]) -> None:
        """Begin. tell: takes a level and a line for the log, which begins with `name`."""
        self.guard = Guard(lambda level, text: tell(level, f"{name}: {text}"))
        self._followed = Followed()
        self._packer = Packer(version)
        self._quaternion = np.zeros(4)  # as sent last

    def see(self, seen: Seen) -> None:
        """Store what the program has seen."""
        self._followed.see(seen)

    def message(self, beat: Beat) -> bytes | None:
        """Return the frame that is due at a beat, or None to hold."""
        self.guard.tally.missed += beat.missed
        sent = self.guard.step(self._followed.at(beat.t))
        return None if sent is None else self._packed(sent)

    def _packed(self, sent: Sent) -> bytes:
        posture, joint_pos = sent.posture, np.zeros(NUM_JOINTS)
        joint_pos[WRIST_JOINTS] = sent.wrists_rad
        quaternion = robot_frame.body_quat(posture)
        self._quaternion = quaternion if quaternion @ self._quaternion >= 0 else -quaternion
        return self._packer.packed(
            smpl_joints=robot_frame.smpl_joints(posture),
            smpl_pose=robot_frame.smpl_pose(posture),
            body_quat=self._quaternion,
            frame_index=self.guard.tally.sent - 1,
            joint_pos=joint_pos,
            joint_vel=np.zeros(NUM_JOINTS),
        )


class _Inbox:
    """The monotonic clock, whose sleeper then takes what has arrived."""

    def __init__(self, link: Connection, sender: Sender) -> None:
        self._link, self._sender = link, sender

    def now(self) -> float:
        return time.monotonic()

    def sleep_until(self, t: float, ended: Event) -> None:
        """Sleep until a moment before t; sets `ended` if the program ends the stream.

        Waiting for the link instead would be 15 ms late on Windows.
        """
        time.sleep(max(0.0, t - AHEAD_S - time.monotonic()))
        while not ended.is_set() and self._link.poll():
            seen = self._link.recv()
            if seen is END:
                ended.set()
            else:
                self._sender.see(seen)


def send_to_robot(link: Connection, url: StreamUrl) -> None:
    """Bind, and send frames until the link ends. Tells `Opened` or `Refused`; then `Told`, `Holding`; then `Ended`."""
    priority = precede_the_pose()  # before ZeroMQ's thread, which inherits it
    try:
        transport = ZmqStream(url)
    except UserError as error:
        link.send(Refused(str(error)))
        return
    sender = Sender(str(transport.address), url.options["v"], lambda level, text: link.send(Told(text, level)))
    link.send(Opened(transport.address, priority))
    failed, held, ended = "a fault in its process", "", Event()  # unless the loop ends
    try:
        for beat in beats(_Inbox(link, sender), RATE_HZ, ended):
            message = sender.message(beat)
            time.sleep(min(max(0.0, beat.t - time.monotonic()), AHEAD_S))
            if message is not None:
                transport.send(message)
            if sender.guard.holding != held:
                held = sender.guard.holding
                link.send(Holding(held))
        failed = ""
    finally:  # a robot that no longer gets frames holds; the report tells why
        transport.close()
        link.send(Ended(sender.guard.tally, failed))
