"""Made-up hands and faces: of any time, and a body with fingers to put them on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.body.expressions import BLENDSHAPES
from engine.body.model import BodyModel
from engine.body.skeleton import SIDES, SMPL, SMPLH, Side
from realtime.kernel.messages import Face, Hand, Person, SolvedFrame
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at


def fingers_at(t: float, side: Side, phase: float = 0.0) -> np.ndarray:
    """(15, 4): each joint bends to and fro about an axis of its own, up to 50 degrees."""
    index = np.arange(15) + (20 if side == "right" else 0)
    axes = np.stack([np.cos(index), np.sin(2 * index), np.cos(3 * index + 1)], axis=-1)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    half = 0.44 * np.sin(2.1 * t + index + phase)
    return np.concatenate([np.sin(half)[:, None] * axes, np.cos(half)[:, None]], axis=-1).astype(np.float32)


def hand_at(t: float, side: Side, confidence: float = 0.9) -> Hand:
    return Hand(fingers_at(t, side), fingers_at(t, side, 0.05), confidence)


def blendshapes_at(t: float) -> np.ndarray:
    """(52,) 0..1: every coefficient comes and goes in its own time."""
    return (0.5 + 0.5 * np.sin(2.0 * t + np.arange(len(BLENDSHAPES)))).astype(np.float32)


def face_at(t: float, confidence: float = 0.8) -> Face:
    return Face(blendshapes_at(t), np.array([0.3 * np.sin(t), 0.2 * np.cos(t)], np.float32), confidence)


def handed_at(t: float, *, id: int = 1, scale: float = 1.0) -> Person:
    """The performer, with both hands and a face."""
    hands = {side: hand_at(t, side) for side in SIDES}
    return replace(person_at(t, id=id, scale=scale), hands=hands, face=face_at(t))


def handed_frame(t: float, seq: int) -> SolvedFrame:
    return solved_at(t, seq, (handed_at(t),))


def make_body_with_fingers() -> BodyModel:
    """The performer's body with 30 finger joints, each a few centimetres from the one before; hands are mirrored."""
    rng = np.random.default_rng(11)
    shared = len(SMPL) - 2
    joints, dirs = BODY.joints_template[:shared], BODY.joint_shapedirs[:shared]
    left = rng.normal(0, 0.03, (15, 3)), rng.normal(0, 0.002, (15, 3, 10))
    mirror = np.array([-1, 1, 1])
    away_m, away_dirs = (
        np.concatenate([part, (part.swapaxes(1, -1) * mirror).swapaxes(1, -1)]).astype(np.float32) for part in left
    )
    for k, parent in enumerate(SMPLH.parents[shared:]):
        joints = np.concatenate([joints, (joints[parent] + away_m[k])[None]])
        dirs = np.concatenate([dirs, (dirs[parent] + away_dirs[k])[None]])
    weights = np.eye(len(SMPLH), dtype=np.float32)[np.arange(len(BODY.v_template)) % len(SMPLH)]
    return replace(
        BODY,
        joint_regressor=np.zeros((len(SMPLH), len(BODY.v_template)), np.float32),
        joints_template=joints,
        joint_shapedirs=dirs,
        weights=weights,
        landmark_weights=np.eye(33, len(SMPLH), dtype=np.float32),
        skeleton=SMPLH,
    )


FINGERED_BODY = make_body_with_fingers()
