"""A skeleton in OpenSim with the joints that docs/laboratory.md describes, to replay a .mot with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import opensim

from engine.body.skeleton import SIDES, SMPL

opensim.Logger.removeFileSink()  # it leaves opensim.log in the working directory

Turns = list[tuple[str, np.ndarray]]  # coordinates, and the axes that they turn about or go along
AXES = {"X": np.array([1.0, 0, 0]), "Y": np.array([0, 1.0, 0]), "Z": np.array([0, 0, 1.0])}
# Segment, SMPL's joint at its proximal end and beyond its distal end, sequence, angles.
LIMBS = (
    ("thigh", "hip", "knee", "ZXY", "hip_flexion hip_adduction hip_rotation"),
    ("shank", "knee", "ankle", "-ZXY", "knee_flexion knee_adduction knee_rotation"),
    ("foot", "ankle", "foot", "ZXY", "ankle_dorsiflexion ankle_inversion ankle_rotation"),
    ("upper_arm", "shoulder", "elbow", "YXY", "shoulder_plane shoulder_elevation shoulder_rotation"),
    ("forearm", "elbow", "wrist", "ZXY", "elbow_flexion elbow_carrying elbow_pronation"),
    ("hand", "wrist", "hand", "ZXY", "wrist_flexion wrist_deviation wrist_rotation"),
)


class Replay:
    """The model, and the place of SMPL's joints for a row of a .mot, in the laboratory's axes.

    Its trunk bends at one joint, so the place of an arm is right relative to its shoulder only.
    """

    def __init__(self, rest_joints: np.ndarray) -> None:
        """rest_joints (24, 3) of the T-pose, in metres and the world's axes."""
        self._rest = np.stack([rest_joints[:, 2], rest_joints[:, 1], -rest_joints[:, 0]], axis=-1)
        self._bodies: dict[str, opensim.Body] = {}
        self._ends: dict[str, tuple[str, np.ndarray]] = {}  # of SMPL's joints: the segment, and the place in it
        self.model = opensim.Model()
        places = [(f"pelvis_t{axis.lower()}", AXES[axis]) for axis in "XYZ"]
        turns = _turns("ZXY", ("pelvis_tilt", "pelvis_list", "pelvis_rotation"))
        self._add("pelvis", self.model.getGround(), np.zeros(3), turns, places)
        turns = _turns("ZXY", ("lumbar_extension", "lumbar_bending", "lumbar_rotation"))
        self._add("thorax", self._bodies["pelvis"], self._between("pelvis", "spine3"), turns)
        self._ends["pelvis"] = ("pelvis", np.zeros(3))
        for side in SIDES:
            self._ends[f"{side}_hip"] = ("pelvis", self._between("pelvis", f"{side}_hip"))
            self._ends[f"{side}_shoulder"] = ("thorax", self._between("spine3", f"{side}_shoulder"))
            for part, joint, beyond, sequence, names in LIMBS:
                parent, offset = self._ends[f"{side}_{joint}"]
                turns = _turns(sequence, [f"{name}_{side[0]}" for name in names.split()], side)
                if sequence == "YXY":  # OpenSim refuses a joint that turns about one axis twice
                    self._add(f"{side}_{part}_plane", self._bodies[parent], offset, turns[:1])
                    parent, offset, turns = f"{side}_{part}_plane", np.zeros(3), turns[1:]
                self._add(f"{side}_{part}", self._bodies[parent], offset, turns)
                bone = _in_segment(part, side, self._between(f"{side}_{joint}", f"{side}_{beyond}"))
                self._ends[f"{side}_{beyond}"] = (f"{side}_{part}", bone)
        self._state = self.model.initSystem()
        self._coordinates = {each.getName(): each for each in self.model.getCoordinateSet()}

    def joints(self, row: dict[str, float]) -> dict[str, np.ndarray]:
        """Set the coordinates, degrees and metres; return the places (3,)."""
        for name, coordinate in self._coordinates.items():
            is_place = coordinate.getMotionType() == opensim.Coordinate.Translational
            coordinate.setValue(self._state, float(row[name] if is_place else np.radians(row[name])), False)
        self.model.realizePosition(self._state)
        return {joint: self._place(*end) for joint, end in self._ends.items()}

    def _between(self, a: str, b: str) -> np.ndarray:
        return self._rest[SMPL.index(b)] - self._rest[SMPL.index(a)]

    def _place(self, body: str, offset: np.ndarray) -> np.ndarray:
        found = self._bodies[body].findStationLocationInGround(self._state, _vec3(offset))
        return np.array([found[k] for k in range(3)])

    def _add(
        self, name: str, parent: opensim.Frame, offset: np.ndarray, turns: Turns, places: Turns | None = None
    ) -> None:
        body = opensim.Body(name, 1.0, opensim.Vec3(0), opensim.Inertia(1.0))
        transform = opensim.SpatialTransform()
        still = [axis for axis in AXES.values() if not any(abs(axis @ turned) > 0.5 for _, turned in turns)]
        rotations = [transform.upd_rotation1(), transform.upd_rotation2(), transform.upd_rotation3()]
        for axis, (coordinate, direction) in zip(rotations, turns, strict=False):
            _drive(axis, coordinate, direction)
        for axis, direction in zip(rotations[len(turns) :], still, strict=True):
            axis.setAxis(_vec3(direction))
        translations = [transform.upd_translation1(), transform.upd_translation2(), transform.upd_translation3()]
        for axis, (coordinate, direction) in zip(translations, places or [], strict=False):
            _drive(axis, coordinate, direction)
        zero = opensim.Vec3(0)
        self.model.addBody(body)
        self.model.addJoint(
            opensim.CustomJoint(f"{name}_joint", parent, _vec3(offset), zero, body, zero, zero, transform)
        )
        self._bodies[name] = body


def _drive(axis: opensim.TransformAxis, coordinate: str, direction: np.ndarray) -> None:
    axis.setCoordinateNames(opensim.ArrayStr(coordinate, 1))
    axis.setAxis(_vec3(direction))
    axis.set_function(opensim.LinearFunction(1.0, 0.0))


def _turns(sequence: str, names: Iterable[str], side: str = "right") -> Turns:
    """Coordinates with their axes; '-' negates the first. In a mirror only turns about Z keep their sense."""
    mirrored = 1.0 if side == "right" else -1.0
    axes = [AXES[axis] * (1.0 if axis == "Z" else mirrored) for axis in sequence.lstrip("-")]
    if sequence.startswith("-"):
        axes[0] = -axes[0]
    return list(zip(names, axes, strict=True))


def _in_segment(part: str, side: str, bone: np.ndarray) -> np.ndarray:
    """A bone of the T-pose in the axes of its segment: of an arm that hangs, then of a palm turned forward."""
    out = 1.0 if side == "right" else -1.0
    x, y, z = bone
    if part in ("upper_arm", "forearm", "hand"):
        x, y, z = x, -out * z, out * y  # the arm comes down to the side
    if part in ("forearm", "hand"):
        x, y, z = -out * z, y, out * x  # the thumb goes from the front to the outside
    return np.array([x, y, z])


def _vec3(values: np.ndarray) -> opensim.Vec3:
    return opensim.Vec3(*values.tolist())
