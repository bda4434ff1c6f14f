"""Angles of the files against scipy's, from the session's own rotations and the axes that the page gives in words."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import opensim
from scipy.spatial.transform import Rotation

from engine.body.skeleton import SMPLH
from realtime.export import main
from realtime.outputs.recording.session import Session
from tests.realtime.outputs.export.recording import FRAMES, RATE_HZ

WITHIN_DEG = 0.1
LOCK_DEG = 1.0  # so near to gimbal lock two of three angles are not defined
FRONT, UP, RIGHT = np.array([0.0, 0, 1]), np.array([0.0, 1, 0]), np.array([-1.0, 0, 0])  # of the T-pose, in the world
# X, Y and Z of segments in the T-pose, of a right arm that goes out to the side: its Y points back to the shoulder.
TRUNK = np.stack([FRONT, UP, RIGHT], axis=1)
UPPER_ARM = np.stack([FRONT, -RIGHT, UP], axis=1)
FOREARM = np.stack([-UP, -RIGHT, FRONT], axis=1)  # X goes out of the palm, which faces the floor
MIRROR = np.diag([-1.0, 1, 1])
# Proximal and distal segment, as SMPL's joint that turns it and its axes; order of turns; the first one's sign.
WHOLE = {
    "pelvis": (None, "pelvis", TRUNK, TRUNK, "ZXY", 1, "tilt list rotation"),
    "lumbar": ("pelvis", "spine3", TRUNK, TRUNK, "ZXY", 1, "extension bending rotation"),
    "neck": ("spine3", "head", TRUNK, TRUNK, "ZXY", 1, "extension bending rotation"),
}
SIDED = {
    "hip": ("pelvis", "hip", TRUNK, TRUNK, "ZXY", 1, "flexion adduction rotation"),
    "knee": ("hip", "knee", TRUNK, TRUNK, "ZXY", -1, "flexion adduction rotation"),
    "ankle": ("knee", "ankle", TRUNK, TRUNK, "ZXY", 1, "dorsiflexion inversion rotation"),
    "shoulder": ("spine3", "shoulder", TRUNK, UPPER_ARM, "YXY", 1, "plane elevation rotation"),
    "elbow": ("shoulder", "elbow", UPPER_ARM, FOREARM, "ZXY", 1, "flexion carrying pronation"),
    "wrist": ("elbow", "wrist", FOREARM, FOREARM, "ZXY", 1, "flexion deviation rotation"),
}


def in_world(session: Session) -> dict[str, np.ndarray]:
    """Rotations (N, 3, 3) of SMPL-H's joints in the world."""
    local = Rotation.from_rotvec(session.poses.reshape(-1, 3)).as_matrix().reshape(FRAMES, -1, 3, 3)
    world: list[np.ndarray] = []
    for joint, parent in enumerate(SMPLH.parents):
        world.append(local[:, joint] if joint == 0 else world[parent] @ local[:, joint])
    return dict(zip(SMPLH.names, world, strict=True))


def expected(session: Session) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Angles in degrees by name, and by the same names where they are defined."""
    world, angles, defined = in_world(session), {}, {}
    sides = [("", "", WHOLE), ("left_", "_l", SIDED), ("right_", "_r", SIDED)]
    for before, after, table in sides:
        for name, (above, below, proximal, distal, order, sign, words) in table.items():
            above = above if above is None or above in world else before + above
            parent = np.tile(np.eye(3), (FRAMES, 1, 1)) if above is None else world[above]
            turn = parent.swapaxes(1, 2) @ world[below if below in world else before + below]
            turn = MIRROR @ turn @ MIRROR if before == "left_" else turn
            first, middle, last = Rotation.from_matrix(proximal.T @ turn @ distal).as_euler(order, degrees=True).T
            if order == "YXY":  # the same turn with a negative elevation
                first, middle, last = first + 180, -middle, last + 180
            locked = np.abs(middle) if order == "YXY" else np.abs(90 - np.abs(middle))
            for word, values in zip(words.split(), (sign * first, middle, last), strict=True):
                angles[f"{name}_{word}{after}"] = values
                defined[f"{name}_{word}{after}"] = (locked > LOCK_DEG) & (np.abs(180 - locked) > LOCK_DEG)
    return angles, defined


def off_deg(read: dict[str, np.ndarray], session: Session) -> float:
    """The largest difference, but for whole turns."""
    angles, defined = expected(session)
    assert set(read) == set(angles)
    assert np.mean(list(defined.values())) > 0.9
    away = [np.abs((read[name] - angles[name] + 180) % 360 - 180)[defined[name]] for name in angles]
    return float(np.concatenate(away).max())


def test_angles_of_a_csv(path: Path, session: Session, tmp_path: Path) -> None:
    assert main([str(path), str(tmp_path / "s.angles.csv")]) == 0
    with (tmp_path / "s.angles.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    read = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    times = read.pop("time_s")
    del read["valid"], read["confidence"]
    assert off_deg(read, session) < WITHIN_DEG
    assert len(rows) == FRAMES
    np.testing.assert_allclose(times[-1] - times[0], (FRAMES - 1) / RATE_HZ, atol=2e-6)


def test_angles_of_a_mot(path: Path, session: Session, tmp_path: Path) -> None:
    """As OpenSim reads them."""
    assert main([str(path), str(tmp_path / "s.mot")]) == 0
    table = opensim.TimeSeriesTable(str(tmp_path / "s.mot"))
    rows = table.getMatrix().to_numpy()
    read = {name: rows[:, k] for k, name in enumerate(table.getColumnLabels())}
    for axis in "xyz":
        del read[f"pelvis_t{axis}"]
    assert off_deg(read, session) < WITHIN_DEG
    times = np.array(table.getIndependentColumn())
    assert len(times) == FRAMES
    np.testing.assert_allclose(times[-1] - times[0], (FRAMES - 1) / RATE_HZ, atol=1e-8)
