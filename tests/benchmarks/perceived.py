"""Runs perception over a whole video, for benchmarks of what comes after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from realtime.capture.factory import open_source
from realtime.capture.reader import FrameReader
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import Sighting
from realtime.perception import PerceptionConfig, create_perception


def perceived(video: Path, config: PerceptionConfig | None = None) -> Iterator[Sighting]:
    """Yield the sighting of every frame."""
    source, perception = open_source(SourceConfig(video=video)), create_perception(config or PerceptionConfig())
    with closing(source), closing(perception):
        for frame in FrameReader(source).every():
            yield perception.observe(frame)
