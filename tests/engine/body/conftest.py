"""Arrays of SMPL's, SMPL-H's and SMPL-X's files; the dicts may be changed, the arrays may not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.body import stand_ins


@pytest.fixture
def smpl_arrays() -> dict[str, np.ndarray]:
    return dict(stand_ins.smpl_arrays())


@pytest.fixture(scope="module")
def smplh_arrays() -> dict[str, np.ndarray]:
    return dict(stand_ins.smplh_arrays())


@pytest.fixture(scope="module")
def smplx_arrays() -> dict[str, np.ndarray]:
    return dict(stand_ins.smplx_arrays())
