"""Streams one person in the VMC protocol (protocol.vmc.info): bones and expressions, OSC over UDP, Unity's frame."""

from __future__ import annotations

import json
import logging
import math
import time

import numpy as np

from engine.body.model import Array, BodyModel
from engine.body.skeleton import SIDES
from realtime.kernel.messages import Person, SolvedFrame
from realtime.outputs.avatar.bones import FINGER_BONES
from realtime.outputs.avatar.expressions import EXPRESSIONS, expressions
from realtime.outputs.output import Output, Run
from realtime.outputs.streams.osc.osc_bundles import bundles, option_dgram
from realtime.outputs.streams.osc.udp_stream import UdpStream, check_receiver
from realtime.outputs.streams.publishable import Publishable
from realtime.outputs.streams.url import StreamError, StreamUrl
from realtime.outputs.streams.vmc.humanoid import HUMANOIDS
from realtime.outputs.streams.vmc.humanoid_parts import EYE_BONES, HumanoidHands, place_eyes
from realtime.outputs.streams.whom import whom_of

logger = logging.getLogger(__name__)

PORT = 39539
PARTS = ("body", "hands", "face")
TOLD_EVERY_S = 1.0  # whom the stream sends, if its address names somebody
# Bones of the body (`realtime.outputs.streams.vmc.humanoid`), names of expressions, a list of PARTS, and the person
# (`realtime.outputs.streams.whom`).
OPTIONS: dict[str, tuple[str, ...]] = {
    "bones": tuple(HUMANOIDS),
    "expressions": tuple(EXPRESSIONS),
    "parts": (),
    "person": (),
}


def open_output(url: StreamUrl, run: Run) -> Output:
    """Bones and expressions to a VMC receiver. Raises StreamError."""
    check_receiver(url, PORT)
    stream = VmcStream(url, run.body, HumanoidHands.of(run))
    asked = _parts(url) if "parts" in url.options else []
    for part, is_looked_for, flag in (("hands", run.hands, "--hands"), ("face", run.faces, "--face")):
        if part in asked and not is_looked_for:
            logger.warning("%s: nothing of the part '%s' is sent; add %s to look for it", url.text, part, flag)
    return stream


class VmcStream(UdpStream):
    """Sender of one person to one receiver, which need not exist. Raises StreamError for an address without a route."""

    def __init__(self, url: StreamUrl, body: BodyModel, hands: HumanoidHands | None = None) -> None:
        self._parts = _parts(url)
        self._body, self._hands = body, hands if "hands" in self._parts else None
        self._humanoid = HUMANOIDS[url.options["bones"]]
        self._expressions = EXPRESSIONS[url.options["expressions"]]
        self._publishable = Publishable()
        self._whom = whom_of(url)
        self._person_id: int | None = None
        self._told_t = -math.inf
        self._started_at = time.monotonic()
        super().__init__(url)

    @property
    def words(self) -> str:
        """The address, and whom it gets, if somebody."""
        person = "" if self._person_id is None else f"person {self._person_id} "
        return f"streaming {person}to {self.address}"

    def dgrams(self, solved: SolvedFrame) -> list[bytes]:
        """Return datagrams: that we are alive, and the person's bones and expressions if somebody is there."""
        person = self._whom(solved, self._publishable.update(solved.people))
        news = self._news(person, solved.frame.t_capture)
        return [*self._dgrams(person), *news]

    def _dgrams(self, person: Person | None) -> list[bytes]:
        names: tuple[str, ...] = ()
        bones: list[Array] = []
        shown: tuple[str, ...] = ()
        values: list[float] = []
        if person is not None and "body" in self._parts:
            names += self._humanoid.names
            bones.append(self._humanoid.place(person, self._body))
        if person is not None and self._hands is not None:
            for side in (side for side in SIDES if side in person.hands):
                names += FINGER_BONES[side]
                bones.append(self._hands.place(side, person.hands[side], person, self._body))
        if person is not None and person.face is not None and "face" in self._parts:
            names += EYE_BONES
            bones.append(place_eyes(person.face, person, self._body))
            by_name, shown = expressions(person.face.blendshapes), self._expressions
            values = [by_name[name] for name in shown]
        places = np.concatenate([np.empty((0, 7), np.float32), *bones])
        bundle = bundles(names, shown, has_root="body" in self._parts)
        return bundle.dgrams(time.monotonic() - self._started_at, places, values)

    def _news(self, person: Person | None, t: float) -> list[bytes]:
        """Return the datagram that tells whom we send, at a change and every second, if the address names somebody."""
        last, self._person_id = self._person_id, None if person is None else person.id
        if "person" not in self.address.options or (self._person_id == last and 0 <= t - self._told_t < TOLD_EVERY_S):
            return []
        self._told_t = t
        return [option_dgram(json.dumps({"person": self._person_id}))]


def _parts(url: StreamUrl) -> list[str]:
    parts = url.options.get("parts", ",".join(PARTS)).split(",")
    for part in parts:
        if part not in PARTS:
            raise StreamError(f"'{url.text}': parts are {', '.join(PARTS)}, joined by commas, not '{part}'")
    return parts
