"""Loads the networks of hands and faces, and looks with them where `HandPair` and `FaceTrack` wish to."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from realtime.assets import FACE, FACE_LANDMARKS, HAND_LANDMARKS, HANDS, IRIS_LANDMARKS, PALM_DETECTOR, Asset, fetch
from realtime.perception.config import PerceptionConfig
from realtime.perception.parts import face, hand, palm
from realtime.perception.parts.face import FaceLandmarker, FaceView
from realtime.perception.parts.face_track import FaceLook
from realtime.perception.parts.hand import HandLandmarker, HandView
from realtime.perception.parts.hand_pair import HandLook
from realtime.perception.parts.palm import PalmDetector
from realtime.perception.runtime import Backend, Network, NetworkSpec, load_network

MOST_PALMS = 1  # of a view, that the landmark network looks at


class HandFinder:
    """Palm detector and hand landmark network."""

    def __init__(self, landmarks: HandLandmarker, palms: PalmDetector) -> None:
        self._landmarks = landmarks
        self._palms = palms

    def __call__(self, image_bgr: NDArray[np.uint8], look: HandLook) -> HandView:
        """Return the hand in the look's square; by palms, the surest of the hands in it."""
        rois = self._palms(image_bgr, look.roi)[:MOST_PALMS] if look.by_palms else []
        views = [self._landmarks(image_bgr, roi) for roi in rois or [look.roi]]
        return max(views, key=lambda view: view.hand.presence)


class FaceFinder:
    """Face mesh and iris networks."""

    def __init__(self, landmarks: FaceLandmarker) -> None:
        self._landmarks = landmarks

    def __call__(self, image_bgr: NDArray[np.uint8], look: FaceLook) -> FaceView:
        """Return the face in the look's square."""
        return self._landmarks(image_bgr, look.roi, look.eyes)


class PartNetworks:
    """Networks that a PerceptionConfig asks for; None for a part that it does not.

    Raises engine.errors.UserError if a file cannot be fetched.
    """

    def __init__(self, config: PerceptionConfig) -> None:
        backend = "litert" if config.backend == "litert" else "openvino"
        wanted = (*(HANDS if config.hands else ()), *(FACE if config.face else ()))

        def load(asset: Asset, spec: NetworkSpec) -> Network:
            return load_network(fetch(asset, wanted), spec, cast(Backend, backend), config.threads)

        self.hands = self.faces = None
        if config.hands:
            landmarks = HandLandmarker(load(HAND_LANDMARKS, hand.SPEC))
            self.hands = HandFinder(landmarks, PalmDetector(load(PALM_DETECTOR, palm.SPEC)))
        if config.face:
            meshes, irises = load(FACE_LANDMARKS, face.SPEC), load(IRIS_LANDMARKS, face.IRIS_SPEC)
            self.faces = FaceFinder(FaceLandmarker(meshes, irises))
