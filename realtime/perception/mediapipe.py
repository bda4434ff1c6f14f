"""Perception by MediaPipe's own Pose Landmarker, for comparison; chosen explicitly, never the default.

According to its package's NOTICE, MediaPipe Tasks sends metrics about performance and use to Google, and the program
must have its user's consent. Choosing this backend is that consent, so it is logged each time.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.errors import UserError
from realtime.kernel.messages import Frame, Sighting
from realtime.perception.config import PerceptionConfig
from realtime.perception.image import check_image
from realtime.perception.landmarker import PersonView
from realtime.perception.people.identity import Identities, distance
from realtime.perception.people.places import Places, Seen
from realtime.perception.people.standing import Standing, State, proof
from realtime.perception.people.track import tracked_person
from realtime.perception.roi import Roi

logger = logging.getLogger(__name__)

SAME_PERSON = 0.25  # maximum distance of centres between frames, in sides of the larger square
LEFT_HIP, RIGHT_HIP = BLAZEPOSE.indices(("left_hip", "right_hip"))
_UNFIT = (RuntimeError, ValueError, OSError, LookupError)  # MediaPipe's exceptions for broken bundles


class MediaPipePerception:
    """MediaPipe's Tasks API (mediapipe 1.x) in video mode. It has no ids: they follow the nearest person."""

    def __init__(self, config: PerceptionConfig) -> None:
        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise UserError(
                f"the mediapipe backend needs the package mediapipe ({error}); run `pip install 'mediapipe>=1.2,<2'`"
                " or choose the openvino backend"
            ) from error
        if config.model is None or not config.model.is_file():
            named = "none was given" if config.model is None else f"there is no file {config.model}"
            raise UserError(
                f"the mediapipe backend needs a Pose Landmarker .task file ({named}): its package carries none; "
                "download one from MediaPipe's model page and name it with --detector-model"
            )
        options = vision.PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(config.model)),
            running_mode=vision.RunningMode.VIDEO,
            num_poses=config.max_people + (config.person != "first"),  # one more, who may take over
            min_pose_detection_confidence=config.min_detection,
            min_pose_presence_confidence=config.min_presence,
            min_tracking_confidence=config.min_presence,
        )
        try:
            self._landmarker = vision.PoseLandmarker.create_from_options(options)
        except _UNFIT as error:
            raise _does_not_fit(config.model, error) from error
        self._model = config.model
        self.description = f"{config.model.name} by MediaPipe Tasks {mediapipe.__version__}"
        logger.warning(
            "perception runs on MediaPipe Tasks, whose NOTICE says that it sends usage metrics to Google; "
            "the openvino backend sends nothing"
        )
        self._mediapipe: Any = mediapipe
        self._last_ms = -1
        self._tracks: dict[int, Roi] = {}
        self._standings: dict[int, Standing] = {}
        self._min_proof = config.min_proof
        self._identities = Identities()
        self._places = Places(config.person, config.max_people)
        self._size: tuple[int, int] | None = None

    def observe(self, frame: Frame) -> Sighting:
        check_image(frame.image_bgr)
        if self._size is not None and self._size != frame.size:
            self._identify([], frame.t_capture)
            self._identities.rescale(self._size, frame.size)
        self._size = frame.size
        image_rgb = cv2.cvtColor(frame.image_bgr, cv2.COLOR_BGR2RGB)
        self._last_ms = max(self._last_ms + 1, round(frame.t_capture * 1e3))  # it requires increasing milliseconds
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=image_rgb)
        try:
            result = self._landmarker.detect_for_video(image, self._last_ms)
            found = [
                _keypoints(points, world, frame.size)
                for points, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True)
            ]
        except _UNFIT as error:  # some bundles fail only when their networks run
            raise _does_not_fit(self._model, error) from error
        people = zip(self._identify(found, frame.t_capture), found, strict=True)
        by_id = sorted(people, key=lambda person: person[0])
        judged = [(i, seen, self._judge(i, seen, frame.t_capture)) for i, seen in by_id]
        told = [tracked_person(i, seen, state) for i, seen, state in judged if state != "trial" and state != "lost"]
        everybody = [
            Seen(each.id, PersonView(each.keypoints["body"], _square(each.keypoints["body"]))) for each in told
        ]
        self._places.choice.width_px = frame.size[0]
        placed = self._places.update(everybody, self._identities.remembers, frame.t_capture)
        return Sighting(frame, tuple(each for each in told if each.id in placed), self._places.choice.performer)

    def next_person(self) -> None:
        self._places.choice.ask_for_next()

    def close(self) -> None:
        self._landmarker.close()

    def _judge(self, person_id: int, seen: Keypoints, t: float) -> State:
        """Update the standing; a person lost here whom MediaPipe still tracks begins a new trial."""
        standing = self._standings.get(person_id)
        if standing is None or standing.state == "lost":
            standing = self._standings[person_id] = Standing(t, self._min_proof)
        return standing.update(t, proof(seen))

    def _identify(self, found: list[Keypoints], t: float) -> list[int]:
        """Return an id for each: that of the nearest person of the last frame, of a recently lost one, or a new one."""
        self._identities.forget(t)
        rois = [_square(seen) for seen in found]
        pairs = sorted(
            (distance(roi, old), i, person_id)
            for i, roi in enumerate(rois)
            for person_id, old in self._tracks.items()
            if distance(roi, old) < SAME_PERSON
        )
        ids: dict[int, int] = {}
        for _, i, person_id in pairs:
            if i not in ids and person_id not in ids.values():
                ids[i] = person_id
        for person_id, old in self._tracks.items():
            if person_id not in ids.values():
                self._identities.lose(person_id, old, t)
                self._standings.pop(person_id, None)
        for i, roi in enumerate(rois):
            if i not in ids:
                ids[i] = self._identities.claim(roi, t, ids.values())
                self._identities.keep(ids[i])
        self._tracks = {ids[i]: roi for i, roi in enumerate(rois)}
        return [ids[i] for i in range(len(rois))]


def _does_not_fit(model: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()).rstrip(".")
    return UserError(
        f"MediaPipe cannot use {model} as a Pose Landmarker: download one from its model page (it says: {reason})"
    )


def _keypoints(points: list[Any], world: list[Any], size: tuple[int, int]) -> Keypoints:
    return Keypoints(
        BLAZEPOSE,
        image_px=np.array([(p.x * size[0], p.y * size[1]) for p in points], np.float32),
        world_m=np.array([(p.x, p.y, p.z) for p in world], np.float32),
        visibility=np.array([p.visibility for p in points], np.float32),
        presence=sum(p.presence for p in points) / len(BLAZEPOSE),  # the whole body's presence is not given out
    )


def _square(seen: Keypoints) -> Roi:
    """Return the square around the hips, as large as the body, by which ids are matched."""
    extent = np.ptp(seen.image_px, axis=0).max()
    x, y = (seen.image_px[LEFT_HIP] + seen.image_px[RIGHT_HIP]) / 2
    return Roi((float(x), float(y)), max(float(extent), 1.0), 0.0)


def create(config: PerceptionConfig, *, live: bool) -> MediaPipePerception:
    """Create the detector that `--detector mediapipe` names; live or not, it looks at everybody in every frame."""
    return MediaPipePerception(config)
