"""State of an estimator for one person between frames: left and right, shape, tokens, hands and face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.estimate.face.memory import FaceMemory
from realtime.estimate.hands.memory import HandsMemory
from realtime.estimate.leftright import LeftRightCheck
from realtime.estimate.tokens import TokenWindow
from realtime.kernel.tracks import Lapsing

Array = NDArray[np.float32]

JUDGED_AFRESH_S = 1.0  # a person unseen for longer is judged anew
_SHAPE_FRAMES = 150  # length of the running mean of the shape


class EstimatorMemory:
    """Estimator's part of a person's track (`realtime.run.track`)."""

    def __init__(self) -> None:
        self.left_right = Lapsing(LeftRightCheck, JUDGED_AFRESH_S)
        self.shape = Lapsing(RunningShape, JUDGED_AFRESH_S)
        self.tokens = Lapsing(TokenWindow)
        self.hands = Lapsing(HandsMemory, JUDGED_AFRESH_S)
        self.face = FaceMemory()  # which keeps what it knows of the person


class RunningShape:
    """Running mean of a person's shape, which is constant and hardly visible in landmarks."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = np.zeros(10, np.float32)

    def update(self, betas: Array) -> Array:
        """Return the running mean (10,) after these betas (10,)."""
        self._count = min(self._count + 1, _SHAPE_FRAMES)
        self._mean = self._mean + (betas - self._mean) / np.float32(self._count)
        return self._mean
