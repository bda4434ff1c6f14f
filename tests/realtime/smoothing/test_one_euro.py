from __future__ import annotations

import numpy as np
import pytest

from realtime.smoothing.one_euro import OneEuroParameters, OneEuroVector
from tests.realtime.smoothing.scalar_one_euro import scalar_one_euro, wobbly

PARAMETERS = OneEuroParameters(min_cutoff_hz=1.2, beta=0.5, derivative_cutoff_hz=1.5)


def test_along_a_line_the_vector_filter_is_the_scalar_filter() -> None:
    times, values = wobbly(1)
    direction = np.array([0.6, 0.0, 0.8])
    vector_filter = OneEuroVector(PARAMETERS)
    found = [vector_filter.update(t, v * direction) @ direction for t, v in zip(times, values, strict=True)]
    np.testing.assert_allclose(found, scalar_one_euro(times, values, PARAMETERS), atol=1e-12)


@pytest.mark.parametrize("values", [(0.0, 1.0, 1.0), (1.0, -0.1, 1.0), (1.0, 1.0, 0.0)])
def test_senseless_parameters_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="One-Euro"):
        OneEuroParameters(*values)
