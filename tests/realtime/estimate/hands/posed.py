"""Hands posed by known rotations, by plain forward kinematics with scipy: independent of the fit's own model."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from engine.body.hand import CHAINS, HandGeometry
from engine.body.keypoints import HAND, Keypoints
from engine.body.skeleton import FINGERS

# Degrees of the published ranges of motion: bend, sideways and twist of the first joint, bends of the further two.
RANGES_DEG = np.array([((-45, 100), (-22, 22), (-12, 12), (-5, 105), (-5, 90))] * 5, float)
RANGES_DEG[FINGERS.index("thumb")] = (-35, 40), (-35, 45), (-35, 35), (-10, 56), (-20, 80)

FISTS = {"index": (80, 0, 0, 95, 60), "middle": (85, 0, 0, 100, 60), "ring": (85, 0, 0, 100, 60)}
FISTS |= {"pinky": (85, 0, 0, 95, 60), "thumb": (25, 20, 0, 40, 40)}
OPEN = dict.fromkeys(FINGERS, (0, 0, 0, 0, 0))
GESTURES_DEG = {
    "fist": FISTS,
    "open": OPEN,
    "point": FISTS | {"index": OPEN["index"]},
    "thumb up": FISTS | {"thumb": (-20, -10, 0, 0, -5)},
    "ok": OPEN | {"index": (55, 0, 0, 60, 35), "thumb": (15, 35, 15, 25, 35)},
}


def gesture(name: str) -> np.ndarray:
    """Angles (5, 5) of a gesture, radians."""
    return np.radians([GESTURES_DEG[name][finger] for finger in FINGERS])


def natural(rng: np.random.Generator, count: int) -> np.ndarray:
    """Angles (count, 5, 5) between open hands and fists, each finger by itself, its further joints bending together."""
    curl = rng.uniform(0, 1, (count, 5))
    angles = np.stack((-15 + 100 * curl, *np.zeros((2, count, 5)), 100 * curl, 65 * curl), axis=-1)
    angles[..., 1:] += rng.uniform(-1, 1, (count, 5, 4)) * (15, 5, 8, 10)
    thumb = FINGERS.index("thumb")
    low, high = RANGES_DEG[thumb].T
    angles[:, thumb] = rng.uniform(low + 5, high - 5, (count, 5))
    angles[:, thumb, 2] /= 2  # a straight thumb hides its twist
    return np.radians(angles.clip(RANGES_DEG[..., 0], RANGES_DEG[..., 1]))


def rotations(angles: np.ndarray, hand: HandGeometry) -> Rotation:
    """Local rotations of angles (..., 5, 5), flattened finger by finger, joint by joint: (... * 15)."""
    frames = hand.frames.astype(float)
    first = Rotation.from_euler("ZYX", (angles[..., :3] * (-1, 1, 1)).reshape(-1, 3)).as_matrix()
    bends = Rotation.from_rotvec(angles[..., 3:].reshape(-1, 1) * (0, 0, -1)).as_matrix()
    shape = angles.shape[:-1]
    local = np.concatenate((first.reshape(*shape, 1, 3, 3), bends.reshape(*shape, 2, 3, 3)), axis=-3)
    turned = frames[:, None] @ local @ frames.swapaxes(1, 2)[:, None]
    return Rotation.from_matrix(turned.reshape(-1, 3, 3))


def points(angles: np.ndarray, hand: HandGeometry) -> np.ndarray:
    """Points (count, 21, 3) of left hands posed by angles (count, 5, 5), metres, in the palm's axes."""
    local = rotations(angles, hand).as_matrix().reshape(len(angles), 5, 3, 3, 3)
    out = np.zeros((len(angles), len(HAND), 3))
    for row in range(5):
        place, turn = np.tile(hand.roots[row].astype(float), (len(angles), 1)), np.eye(3)
        out[:, CHAINS[row, 0]] = place
        for joint in range(3):
            turn = turn @ local[:, row, joint]
            place = place + turn @ hand.bones[row, joint]
            out[:, CHAINS[row, joint + 1]] = place
    return out


def angles_of(turned: Rotation, hand: HandGeometry) -> np.ndarray:
    """Degrees (count, 5, 5) of local rotations (count * 15), taken apart by scipy."""
    local = turned.as_matrix().reshape(-1, 5, 3, 3, 3)
    own = hand.frames.swapaxes(1, 2)[:, None] @ local @ hand.frames[:, None]
    first = Rotation.from_matrix(own[:, :, 0].reshape(-1, 3, 3)).as_euler("ZYX", degrees=True) * (-1, 1, 1)
    further = np.degrees(Rotation.from_matrix(own[:, :, 1:].reshape(-1, 3, 3)).as_rotvec())
    assert np.abs(further[:, :2]).max() < 0.05  # hinges turn about their axis alone
    return np.concatenate((first.reshape(-1, 5, 3), -further[:, 2].reshape(-1, 5, 2)), axis=-1)


def seen_hand(world_m: np.ndarray, center_px: tuple[float, float] = (320, 240), presence: float = 1.0) -> Keypoints:
    """A detector's keypoints of world_m (21, 3) in the camera's axes, 600 pixels a metre, about a pixel."""
    image_px = (world_m - world_m.mean(0))[:, :2] * 600 + center_px
    return Keypoints(
        HAND, image_px.astype(np.float32), world_m.astype(np.float32), np.ones(len(HAND), np.float32), presence
    )


def apart_deg(a: Rotation, b: Rotation) -> np.ndarray:
    """Angles between rotations."""
    return np.degrees((a.inv() * b).magnitude())
