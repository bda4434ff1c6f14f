"""Streams one person to a humanoid robot's controller: the SONIC protocol over ZeroMQ PUB, 50 frames a second."""

from __future__ import annotations

import logging
import threading

import numpy as np

from engine.body.model import BodyModel
from engine.errors import UserError
from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Outcome, Output, Run
from realtime.outputs.streams.sonic import robot_frame
from realtime.outputs.streams.sonic.beats import Beat, Clock, SystemClock, beats
from realtime.outputs.streams.sonic.followed import Followed
from realtime.outputs.streams.sonic.guard import RATE_HZ, Guard, Sent
from realtime.outputs.streams.sonic.packet import NUM_JOINTS, VERSIONS, WRIST_JOINTS, Packer
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.whom import whom_of
from realtime.outputs.streams.wire.zmq_stream import ZmqStream

logger = logging.getLogger(__name__)

PORT = 5557  # the receivers' own default, 5556, is that of our WebSocket
OPTIONS: dict[str, tuple[str, ...]] = {"v": VERSIONS, "person": ()}  # the protocol's version, and whom to send
_JOIN_S = 5.0


def open_output(url: StreamUrl, run: Run) -> Output:
    """Open the stream. Raises StreamError, and UserError for a file that is read offline."""
    if run.offline:
        raise UserError(f"'{url.text}': a robot follows live poses; leave --offline out")
    return SonicStream(url, run.body)


class SonicStream(Output):
    """Publisher with a thread of its own, which sends 50 frames a second whatever rate the camera has.

    Raises StreamError, one line, if it cannot be opened.
    """

    newest_wins = True

    def __init__(self, url: StreamUrl, body: BodyModel, clock: Clock | None = None) -> None:
        """Bind and start. clock: of the frames' capture times; by default the system's."""
        self._clock = clock or SystemClock()
        self._followed = Followed(whom_of(url), body)
        self._packer = Packer(url.options["v"])
        self._transport = ZmqStream(url)
        self.address = self._transport.address
        self._guard = Guard(str(self.address))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._quaternion = np.zeros(4)  # as sent last
        self._beats_missed = 0
        self._failed = ""
        logger.info("streaming to %s", self.address)
        if not self.address.is_loopback:
            logger.warning("%s: everybody on that network can watch", self.address)
        self._thread = threading.Thread(target=self._run, name="sonic", daemon=True)
        self._thread.start()

    @property
    def words(self) -> str:
        """The address, and whether the robot holds its pose."""
        held = f", held ({self._guard.holding})" if self._guard.holding else ""
        return f"streaming to {self.address}{held}"

    def put(self, solved: SolvedFrame) -> None:
        """Take a frame; the thread sends it at its time."""
        with self._lock:
            self._followed.see(self._clock.now(), solved)

    def close(self) -> Outcome:
        """End the thread, free the port. Idempotent."""
        self._ended.set()
        self._thread.join(_JOIN_S)
        self._transport.close()
        tally = self._guard.tally
        counts = {
            "sent": tally.sent,
            "limited": tally.limited,
            "held": tally.held,
            **{f"holds: {why}": times for why, times in tally.holds.items()},
            "ramps": tally.ramps,
            "changes of person": tally.switches,
            "beats missed": self._beats_missed,
        }
        return Outcome("stream", frames=tally.sent, failed=self._failed, lines=(self._line(),), counts=counts)

    def _line(self) -> str:
        tally = self._guard.tally
        times = ", ".join(f"{why} {count}" for why, count in tally.holds.items())
        held = f"held {tally.holds.total()} times, {tally.held / RATE_HZ:.1f} s ({times})" if times else "never held"
        changes = f"{tally.limited} slowed down, {tally.switches} changes of person, {self._beats_missed} beats missed"
        return f"{self.address}: {tally.sent} frames sent, {held}, {changes}"

    def _run(self) -> None:
        try:
            for beat in beats(self._clock, RATE_HZ, self._ended):
                self._send(beat)
        except Exception as error:  # a robot that no longer gets frames holds; the report tells why
            self._failed = f"{self.address}: {type(error).__name__}: {error}"
            logger.exception("%s: sending has ended", self.address)

    def _send(self, beat: Beat) -> None:
        with self._lock:
            sample = self._followed.at(beat.t)
        self._beats_missed += beat.missed
        sent = self._guard.step(sample)
        if sent is not None:
            self._transport.send(self._packed(sent))

    def _packed(self, sent: Sent) -> bytes:
        posture, joint_pos = sent.posture, np.zeros(NUM_JOINTS)
        joint_pos[WRIST_JOINTS] = sent.wrists_rad
        quaternion = robot_frame.body_quat(posture)
        self._quaternion = quaternion if quaternion @ self._quaternion >= 0 else -quaternion
        return self._packer.packed(
            smpl_joints=robot_frame.smpl_joints(posture),
            smpl_pose=robot_frame.smpl_pose(posture),
            body_quat=self._quaternion,
            frame_index=self._guard.tally.sent - 1,
            joint_pos=joint_pos,
            joint_vel=np.zeros(NUM_JOINTS),
        )
