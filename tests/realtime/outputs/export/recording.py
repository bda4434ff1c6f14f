"""A short recording of the made-up performer on a given body."""

from __future__ import annotations

from pathlib import Path

from engine.body.model import BodyModel
from realtime.outputs.recording.recorder import Recorder
from tests.realtime.outputs.streams.synthetic_stream import stream

FRAMES = 40
RATE_HZ = 60
SAMPLES = (0, 13, FRAMES - 1)  # frames that other programs are asked for
MM = 1e-3


def record(path: Path, body: BodyModel) -> Path:
    recorder = Recorder(path, body=body, blocking=True)
    recorder.start()
    for frame in stream(FRAMES, RATE_HZ):
        recorder.put(frame)
    recorder.close()
    return path
