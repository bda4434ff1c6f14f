"""Made-up people as a detector would tell of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from engine.body.keypoints import BLAZEPOSE, Keypoints
from realtime.kernel.messages import TrackedPerson


def seen_body(
    image_px: ArrayLike | None = None,
    world_m: ArrayLike | None = None,
    visibility: ArrayLike = 1.0,
    presence: float = 1.0,
) -> Keypoints:
    """Keypoints of a body: image_px (33, 2) and world_m (33, 3), zeros where not given; visibility (33,) or one."""
    count = len(BLAZEPOSE)
    return Keypoints(
        BLAZEPOSE,
        np.zeros((count, 2), np.float32) if image_px is None else np.asarray(image_px, np.float32),
        np.zeros((count, 3), np.float32) if world_m is None else np.asarray(world_m, np.float32),
        np.broadcast_to(np.asarray(visibility, np.float32), count).copy(),
        presence,
    )


def somebody(person_id: int = 0, body: Keypoints | None = None, box_xyxy: ArrayLike = (0, 0, 0, 0)) -> TrackedPerson:
    """Somebody who is followed, with these keypoints of the body."""
    return TrackedPerson(person_id, {"body": seen_body() if body is None else body}, np.asarray(box_xyxy, np.float32))
