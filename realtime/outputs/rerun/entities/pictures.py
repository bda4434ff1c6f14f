"""Logs the camera, its image as JPEG, and the keypoints on it."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import rerun as rr

from engine.body.projection import PinholeCamera
from realtime.kernel.messages import Person
from realtime.kernel.seen import VISIBLE
from realtime.outputs.rerun.entities.canvas import FOREVER, Canvas
from realtime.outputs.rerun.entities.figure import colour_of, figure
from realtime.outputs.rerun.moment import View

_JPEG_QUALITY = 80
_KEPT_S = 0.1  # keypoints of hands and faces stay that long after they were measured
_PLANE_M = 0.4  # from the camera to its image in the world


class Pictures:
    """Logger of the camera's view."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._known: tuple[object, ...] = ()  # size, camera and place as logged last

    def log(self, view: View) -> None:
        """Log the image, if there is one, and the camera, if it changed."""
        place = view.T_world_cam
        known = view.size_px, view.camera, None if place is None else place.tobytes()
        if known != self._known:
            self._known = known
            width, height = view.size_px
            pinhole = rr.Pinhole(
                focal_length=PinholeCamera(width, height, view.camera.fov_deg).focal_px,
                width=width,
                height=height,
                camera_xyz=rr.ViewCoordinates.RDF,
                image_plane_distance=_PLANE_M,
            )
            self._canvas.log("/world/camera", pinhole, FOREVER)
            if place is not None:
                turned = rr.Transform3D(translation=place, mat3x3=view.camera.R_world_cam)
                self._canvas.log("/world/camera", turned, FOREVER)
        if view.picture_bgr is not None:
            _, jpeg = cv2.imencode(".jpg", view.picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            picture = rr.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg")
            self._canvas.log("/world/camera/picture", picture, FOREVER)

    def log_keypoints(self, person: Person) -> None:
        """Log a person's visible keypoints, in pixels of the image."""
        for part, seen in person.keypoints.items():
            entity = f"/world/camera/people/{person.id}/{part}"
            self._canvas.once(entity, partial(figure, seen.layout.names, seen.layout.bones, colour_of(person.id)))
            visible = np.flatnonzero((seen.visibility >= VISIBLE) & np.isfinite(seen.image_px).all(axis=1))
            points = rr.Points2D(
                seen.image_px[visible],
                radii=rr.Radius.ui_points(3.0 if part == "body" else 1.5),
                class_ids=0,
                keypoint_ids=visible,
                show_labels=False,
            )
            self._canvas.log(entity, points, 0.0 if part == "body" else _KEPT_S)
