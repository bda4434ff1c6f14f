"""Frames of a reader on a thread of its own, of which the newest waits to be taken: as the program reads a camera."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from realtime.capture.reader import FrameReader
from realtime.kernel.channel import Channel
from realtime.kernel.messages import Frame
from realtime.kernel.pipeline import Pipeline


@contextmanager
def newest(reader: FrameReader) -> Iterator[Channel[Frame]]:
    pipeline, slot = Pipeline(), Channel[Frame].newest()
    pipeline.add_source("capture", reader.paced(pipeline.stopping, slot.wanted), slot)
    pipeline.start()
    try:
        yield slot
    finally:
        pipeline.stop()
