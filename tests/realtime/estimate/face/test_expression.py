from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from engine.body.expressions import BLENDSHAPES
from engine.face.expression import ExpressionSolver
from realtime.estimate.face.support import SUPPORTED
from tests.realtime.estimate.face.acted import RIG, UNITS

SOLVER = ExpressionSolver(RIG)
MADE = sorted(SUPPORTED.intersection(UNITS) - {"mouthClose"})


@pytest.mark.parametrize("name", MADE)
def test_an_expression_alone_is_told_from_all_others(name: str) -> None:
    coefficients = SOLVER.solve(RIG.moves_m[UNITS.index(name)])
    others = np.delete(coefficients, UNITS.index(name))
    assert coefficients[UNITS.index(name)] > 0.45
    assert others.max() < 0.35


def test_lips_close_only_over_an_open_jaw() -> None:
    jaw, lips = UNITS.index("jawOpen"), UNITS.index("mouthClose")
    both = SOLVER.solve(RIG.moves_m[jaw] + RIG.moves_m[lips])
    assert both[jaw] > 0.8
    assert both[lips] > 0.8
    open_only = SOLVER.solve(RIG.moves_m[jaw])
    assert open_only[jaw] > 0.9
    assert open_only[lips] < 0.1
    assert SOLVER.solve(RIG.moves_m[lips])[lips] < 0.3


def test_half_an_expression_is_about_half() -> None:
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"):
        half = SOLVER.solve(np.float32(0.5) * RIG.moves_m[UNITS.index(name)])[UNITS.index(name)]
        assert half == pytest.approx(0.5, abs=0.22)


def test_the_mean_face_alone_tells_large_expressions_only() -> None:
    """A longer, wider or deeper face shows nothing."""
    stretched = np.random.default_rng(0).normal(0, 0.05, (20, 1, 3)).astype(np.float32)
    moved_m = stretched * (RIG.neutral_m - RIG.neutral_m[168])
    assert max(SOLVER.solve(each, from_mean=True).max() for each in moved_m) < 0.3
    smile = RIG.moves_m[UNITS.index("mouthSmileLeft")] + RIG.moves_m[UNITS.index("mouthSmileRight")]
    assert SOLVER.solve(smile, from_mean=True)[UNITS.index("mouthSmileLeft")] > 0.6


@given(st_np.arrays(np.float32, (468, 3), elements=st.floats(-0.125, 0.125, width=32)), st.booleans())
def test_any_points_give_coefficients_from_0_to_1(moved_m: np.ndarray, from_mean: bool) -> None:
    coefficients = SOLVER.solve(moved_m, from_mean=from_mean)
    assert np.isfinite(coefficients).all()
    assert coefficients.min() >= 0
    assert coefficients.max() <= 1


def test_supported_names_are_arkit_s() -> None:
    assert SUPPORTED.issubset(BLENDSHAPES)
    assert "tongueOut" not in SUPPORTED
