"""People drawn by the renderer, for tests of what looks at pictures."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from training.readers.files import BrokenFileError
from training.readers.sample import Sample
from training.render.scene import Renderer


def rendered(count: int) -> list[Sample]:
    """The free body in random poses and shapes, the same for every call."""
    renderer = Renderer(load_body("open"))
    found = []
    for i in range(count):
        rng = np.random.default_rng(i)
        rotmats = Rotation.from_rotvec(0.2 * rng.normal(size=(22, 3))).as_matrix()
        found.append(renderer.draw(rotmats, rng.normal(size=10).astype(np.float32), rng, f"{i:08d}"))
    return found


class Samples:
    """A set in memory."""

    name = fingerprint = "memory"

    def __init__(self, samples: list[Sample], broken: frozenset[int] = frozenset()) -> None:
        self._samples, self._broken = samples, broken

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        if index in self._broken:
            raise BrokenFileError(f"sample {index} is torn")
        return self._samples[index]
