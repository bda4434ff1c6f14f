"""TokenHMR's weak-perspective camera, set into the full frame."""

from __future__ import annotations

from typing import Any

import numpy as np

CROP_FOCAL_PX = 5000.0  # the focal length that the network was trained under, for a crop of CROP_SIZE_PX
CROP_SIZE_PX = 256.0
# The pelvis joint from SMPL's origin in its neutral template. The network's camera places that origin, and takes the
# pelvis to be there on other bodies too.
SMPL_PELVIS_M = np.array([-0.0018, -0.2233, 0.0282], np.float32)
_TINY = 1e-9


def full_frame_translation(
    cam: Any, box_center: Any, box_size: Any, image_size: Any, focal: float | None = None
) -> Any:
    """Compute the position of the body's origin in the full image's camera, (B, 3) metres, x right, y down.

    cam (B, 3): scale, x, y as output by the network. box_center (B, 2) and box_size (B,): of the square crop, pixels.
    image_size (2,) or (B, 2): width, height, pixels. focal: in pixels; None is the released demo's choice, the crop's
    focal length scaled to the larger side of the image. The position is of SMPL's origin, not of the pelvis joint.
    Arrays of numpy or torch; the result has cam's type.
    """
    s, tx, ty = np.moveaxis(np.asarray(cam, np.float64), -1, 0)
    size = np.asarray(image_size, np.float64)
    focal_px = CROP_FOCAL_PX / CROP_SIZE_PX * size.max() if focal is None else float(focal)
    scale_px = np.asarray(box_size, np.float64) * s + _TINY
    offset_px = np.asarray(box_center, np.float64) - size / 2
    translation = np.stack(
        (tx + 2 * offset_px[..., 0] / scale_px, ty + 2 * offset_px[..., 1] / scale_px, 2 * focal_px / scale_px), -1
    )
    if hasattr(cam, "new_tensor"):
        return cam.new_tensor(translation)
    return translation.astype(np.float32)
