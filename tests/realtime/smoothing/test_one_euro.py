from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from realtime.smoothing.one_euro import OneEuroParameters, OneEuroRotation, OneEuroVector

PARAMETERS = OneEuroParameters(min_cutoff_hz=1.2, beta=0.5, derivative_cutoff_hz=1.5)


def scalar_one_euro(times: np.ndarray, values: np.ndarray, p: OneEuroParameters) -> list[float]:
    """The published algorithm, written out for numbers."""
    alpha = lambda cutoff, dt: 1 / (1 + 1 / (2 * np.pi * cutoff) / dt)  # noqa: E731
    out, speed = [float(values[0])], 0.0
    for k in range(1, len(values)):
        dt = times[k] - times[k - 1]
        a = alpha(p.derivative_cutoff_hz, dt)
        speed = a * (values[k] - values[k - 1]) / dt + (1 - a) * speed
        a = alpha(p.min_cutoff_hz + p.beta * abs(speed), dt)
        out.append(a * values[k] + (1 - a) * out[-1])
    return out


def wobbly(seed: int = 0, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.06, count))
    return times, np.sin(2 * np.pi * 1.3 * times) + 0.02 * rng.normal(size=count)


def test_about_a_fixed_axis_it_is_the_scalar_filter() -> None:
    times, angles = wobbly()
    axis = np.array([2.0, -1.0, 2.0]) / 3
    rotation_filter = OneEuroRotation(PARAMETERS)
    rotmats = Rotation.from_rotvec(angles[:, None] * axis).as_matrix()
    found = [
        Rotation.from_matrix(rotation_filter.update(t, R)).as_rotvec() @ axis
        for t, R in zip(times, rotmats, strict=True)
    ]
    np.testing.assert_allclose(found, scalar_one_euro(times, angles, PARAMETERS), atol=1e-9)


def test_along_a_line_the_vector_filter_is_the_scalar_filter() -> None:
    times, values = wobbly(1)
    direction = np.array([0.6, 0.0, 0.8])
    vector_filter = OneEuroVector(PARAMETERS)
    found = [vector_filter.update(t, v * direction) @ direction for t, v in zip(times, values, strict=True)]
    np.testing.assert_allclose(found, scalar_one_euro(times, values, PARAMETERS), atol=1e-12)


@settings(max_examples=25)
@given(
    st.integers(0, 1000),
    hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)),
    hnp.arrays(np.float64, 3, elements=st.floats(-3, 3)),
)
def test_it_knows_no_preferred_frame(seed: int, left: np.ndarray, right: np.ndarray) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.02, 0.05, 12))
    rotmats = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.2, (12, 3)), 0)).as_matrix()
    Q, S = Rotation.from_rotvec(left).as_matrix(), Rotation.from_rotvec(right).as_matrix()
    plain, turned = OneEuroRotation(PARAMETERS), OneEuroRotation(PARAMETERS)
    for t, R in zip(times, rotmats, strict=True):
        np.testing.assert_allclose(turned.update(t, Q @ R @ S), Q @ plain.update(t, R) @ S, atol=1e-9)


def test_each_rotation_has_a_cutoff_of_its_own() -> None:
    times, angles = wobbly(2)
    rotmats = Rotation.from_rotvec(angles[:, None] * [1.0, 0.0, 0.0]).as_matrix()
    both, alone = OneEuroRotation(PARAMETERS), OneEuroRotation(PARAMETERS)
    for t, R in zip(times, rotmats, strict=True):
        together = both.update(t, np.stack((R, np.eye(3))))
        np.testing.assert_allclose(together[0], alone.update(t, R), atol=1e-12)
        np.testing.assert_allclose(together[1], np.eye(3), atol=1e-12)


def test_rotations_stay_rotations_in_float32_for_a_long_time() -> None:
    rng = np.random.default_rng(3)
    rotation_filter = OneEuroRotation(PARAMETERS)
    rotmats = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.1, (5000, 3)), 0)).as_matrix().astype(np.float32)
    for k, R in enumerate(rotmats):
        smooth = rotation_filter.update(k / 30, R)
    np.testing.assert_allclose(smooth @ smooth.T, np.eye(3), atol=2e-6)


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 1.0, 0.0)])
def test_senseless_parameters_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="One-Euro"):
        OneEuroParameters(*values)
