"""TokenHMR's weak-perspective camera, of the crop and set into the full frame."""

from __future__ import annotations

from typing import Any

import numpy as np

CROP_FOCAL_PX = 5000.0  # focal length of the network's training, for a crop of CROP_SIZE_PX
CROP_SIZE_PX = 256
# The pelvis joint from SMPL's origin in its neutral template. The network's camera places that origin, with the same
# pelvis offset for all bodies.
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
    size = np.asarray(image_size, np.float64)
    focal_px = CROP_FOCAL_PX / CROP_SIZE_PX * size.max() if focal is None else float(focal)
    offset_px = np.asarray(box_center, np.float64) - size / 2
    numbers, size_px = np.asarray(cam, np.float64), np.asarray(box_size, np.float64)
    translation = _translation(numbers, offset_px[..., 0], offset_px[..., 1], size_px, focal_px)
    if hasattr(cam, "new_tensor"):
        return cam.new_tensor(translation)
    return translation.astype(np.float32)


def crop_translation(cam: Any) -> Any:
    """The same before the camera of the crop itself, (B, 3) metres; numpy or torch, which can be differentiated."""
    return _translation(cam, 0.0, 0.0, CROP_SIZE_PX, CROP_FOCAL_PX)


def crop_fractions(points_cam: Any) -> Any:
    """Project points (..., 3) in metres by the crop's camera: (..., 2) in fractions of the crop, 0 in its middle."""
    return CROP_FOCAL_PX / CROP_SIZE_PX * points_cam[..., :2] / points_cam[..., 2:]


def _translation(cam: Any, offset_x_px: Any, offset_y_px: Any, box_size: Any, focal_px: float) -> Any:
    """(B, 3) metres; offset_x_px, offset_y_px: of the box's centre from the optical axis."""
    scale_px = box_size * cam[..., 0] + _TINY
    translation = cam + 0.0  # a copy, of numpy or torch
    translation[..., 0] = cam[..., 1] + 2 * offset_x_px / scale_px
    translation[..., 1] = cam[..., 2] + 2 * offset_y_px / scale_px
    translation[..., 2] = 2 * focal_px / scale_px
    return translation
