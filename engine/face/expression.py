"""Coefficients of brows, cheeks, nose, mouth and jaw: which face units together explain how the points moved.

Bounded least squares on points that have been freed of the head's rotation and of the person's neutral face. Each
point counts by the inverse covariance of what else moves it: the network's noise, turns of the head, differences of
people. A sparse prior keeps units at zero that are not needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.face.rig import FaceRig

Array = NDArray[np.float32]

_RIDGE, _SPARSE = 4.0, 4.0  # prior of a coefficient: a Gaussian's inverse variance, and an exponential's rate


class ExpressionSolver:
    """Solver for the units of a rig."""

    def __init__(self, rig: FaceRig) -> None:
        from scipy.linalg import solve_triangular  # here: a run without faces starts half a second sooner
        from scipy.optimize import nnls

        self._solve_triangular, self._nnls = solve_triangular, nnls
        self._rig = rig
        self._pull = rig.pull.reshape(2, len(rig.units), -1)
        ridge = _RIDGE * np.eye(len(rig.units))
        self._lower = np.linalg.cholesky(rig.coupling.astype(np.float64) + ridge)
        self._upper = np.ascontiguousarray(self._lower.swapaxes(1, 2))
        names = [BLENDSHAPES[unit] for unit in rig.units]
        self._close, self._open = names.index("mouthClose"), names.index("jawOpen")

    def solve(self, moved_m: Array, *, from_mean: bool = False) -> Array:
        """Return (K,) coefficients 0..1 for moves (468, 3) of the points from the neutral face, in head axes.

        from_mean: that is the mean face, not the person's own. Little can be told then.
        """
        which = int(from_mean)
        right = (self._pull[which] @ moved_m.ravel()).astype(np.float64) - _SPARSE
        whitened = self._solve_triangular(self._lower[which], right, lower=True, check_finite=False)
        solution, _ = self._nnls(self._upper[which], whitened)
        coefficients = np.minimum(solution * self._rig.gain, 1.0).astype(np.float32)
        # Lips that close over an open jaw, by ARKit's definition.
        coefficients[self._close] = min(coefficients[self._close], coefficients[self._open])
        return coefficients
