from __future__ import annotations

import numpy as np
import torch

from engine.heat import LEAST, MADE_UP, SEEN, trust


def test_what_is_made_up_is_hardly_believed_and_what_is_seen_wholly() -> None:
    heights = np.array([0.0, MADE_UP, (MADE_UP + SEEN) / 2, SEEN, 1.0], np.float32)
    np.testing.assert_allclose(trust(heights), [LEAST, LEAST, 0.5, 1.0, 1.0], atol=1e-6)


def test_arrays_and_tensors_are_trusted_alike() -> None:
    heights = np.linspace(0, 1, 101, dtype=np.float32).reshape(1, 101)
    np.testing.assert_allclose(trust(torch.from_numpy(heights)).numpy(), trust(heights), atol=1e-7)
    assert trust(heights).dtype == np.float32
