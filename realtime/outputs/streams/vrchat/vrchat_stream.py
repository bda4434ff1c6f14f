"""Streams one person to VRChat: three or eight trackers, and the head to align its space with ours."""

from __future__ import annotations

import numpy as np

from realtime.kernel.messages import SolvedFrame
from realtime.outputs.output import Output, Run
from realtime.outputs.streams.osc.osc_bundles import Bundle, message
from realtime.outputs.streams.osc.udp_stream import UdpStream, check_receiver
from realtime.outputs.streams.publishable import Publishable
from realtime.outputs.streams.url import StreamUrl
from realtime.outputs.streams.vrchat.trackers import HEAD, TRACKERS, placed
from realtime.outputs.streams.whom import whom_of

PORT = 9000
# How many trackers, what of the head, and the person (`realtime.outputs.streams.whom`).
OPTIONS: dict[str, tuple[str, ...]] = {
    "trackers": ("8", "3"),
    "head": ("both", "position", "rotation", "none"),
    "person": (),
}
_PARTS = ("position", "rotation")


def open_output(url: StreamUrl, run: Run) -> Output:
    """Trackers to VRChat. Raises StreamError."""
    check_receiver(url, PORT)
    return VrchatStream(url)


class VrchatStream(UdpStream):
    """Sender of one person to VRChat, which need not run. Raises StreamError for an address without a route."""

    def __init__(self, url: StreamUrl) -> None:
        self._publishable = Publishable()
        self._whom = whom_of(url)
        trackers = TRACKERS[: int(url.options["trackers"])]
        self._trackers = (*trackers, HEAD)
        names = (*range(1, len(trackers) + 1), "head")
        of_head = _PARTS if url.options["head"] == "both" else (url.options["head"],)
        self._sent = np.array([[name != "head" or part in of_head for part in _PARTS] for name in names])
        addresses = np.array([[f"/tracking/trackers/{name}/{part}" for part in _PARTS] for name in names])[self._sent]
        self._bundle = Bundle([(message(str(address), 0.0, 0.0, 0.0), 3) for address in addresses])
        super().__init__(url)

    def dgrams(self, solved: SolvedFrame) -> list[bytes]:
        """Return one datagram, or none while nobody is there: trackers then stay where they are."""
        person = self._whom(solved, self._publishable.update(solved.people))
        if person is None:
            return []
        vectors = placed(person, self._trackers).reshape(-1, len(_PARTS), 3)[self._sent]
        if not np.isfinite(vectors).all():
            return []
        return [self._bundle.filled(np.frombuffer(vectors.astype(">f4").tobytes(), np.uint8))]
