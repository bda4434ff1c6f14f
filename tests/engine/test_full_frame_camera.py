"""The full-frame translation against projection: what the crop's camera sees must lie where the picture shows it."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.camera import full_frame_translation

sizes = st.tuples(st.integers(320, 4000), st.integers(240, 4000))
floats = st.floats


@given(
    sizes,
    floats(0.5, 1.5),
    floats(-0.4, 0.4),
    floats(-0.4, 0.4),
    floats(60, 900),
    floats(0.2, 0.8),
    floats(0.2, 0.8),
    st.one_of(st.none(), floats(300, 5000)),
)
def test_origin_projects_to_where_the_crop_puts_it(size, s, tx, ty, box, cx, cy, focal):
    """Weak perspective puts the origin at (tx, ty) s / 2 box sizes from the box's centre."""
    center = np.array([cx * size[0], cy * size[1]])
    T = full_frame_translation(np.array([[s, tx, ty]]), center[None], np.array([box]), size, focal)[0].astype(float)
    f = 5000 / 256 * max(size) if focal is None else focal
    pixel = f * T[:2] / T[2] + np.array(size) / 2
    np.testing.assert_allclose(pixel, center + box * s * np.array([tx, ty]) / 2, atol=0.05)
    np.testing.assert_allclose(f / T[2], box * s / 2, rtol=1e-5)  # pixels a metre at that depth


def test_batch_of_torch_tensors_gives_a_tensor():
    cam = torch.tensor([[0.9, 0.1, 0.2], [1.0, 0.0, 0.0]])
    out = full_frame_translation(cam, torch.zeros(2, 2), torch.tensor([200.0, 100.0]), torch.tensor([640, 480]))
    assert torch.is_tensor(out)
    assert out.shape == (2, 3)
    expected = full_frame_translation(cam.numpy(), np.zeros((2, 2)), np.array([200.0, 100.0]), (640, 480))
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-6)
