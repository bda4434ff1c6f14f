"""Guides a person through a calibration: stand still, arms at your sides; then one step to each side.

A state machine over solved frames and their times; it reads no clock, draws nothing and writes no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.body.skeleton import JOINT_NAMES
from realtime.calibration.upright import body_up, legs_are_straight
from realtime.kernel.messages import Array, Camera, Guidance, Person, SolvedFrame
from realtime.kernel.seen import leg_keypoints, legs_are_sure

STILL_S, SIDE_S = 2.0, 0.4  # to stand still, and to stay at the side
STEP_M = 0.25  # sideways, from the standing position
PATIENCE_S = 30.0  # for each part: enough to walk from the keyboard to the position
_SWAY_M = 0.10  # of any joint from its mean while still
_DEPTH_COUNTS = 0.4  # weight of motion in depth, which one camera measures least accurately
_ARMS_HANG_M = 0.15  # maximum height of a hanging wrist above the pelvis
_UPRIGHT = 0.5  # cosine of the body's tilt; an unknown camera tilt may show a person tilted this far
_ANOTHER_CAMERA_DEG = 3.0  # camera changed during the calibration: start again
_STEADY_S = 0.5  # minimum time for a hint, so that it can be read

_WRISTS = [JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")]

NOBODY, CROWD = "Step into the picture", "Only one person: the others step aside"
LEGS_UNSEEN, BENT = "Step back until the camera sees your feet", "Stand up straight"
ARMS, STAND = "Let your arms hang at your sides", "Stand still, arms at your sides"
LEFT, RIGHT = "One step to your left", "One step to your right"
TWO_LEFT, TWO_RIGHT = "Two steps to your left", "Two steps to your right"
_GAVE_UP = {  # reason for the failure after PATIENCE_S, by hint
    NOBODY: "nobody was in view",
    CROWD: "more than one person was in view",
    LEGS_UNSEEN: "your legs were not seen; stand up, three metres away",
    BENT: "nobody stood upright",
    ARMS: "your arms did not hang at your sides",
    STAND: f"nobody stood still for {STILL_S:.0f} s",
    LEFT: "no step to the left was seen",
    RIGHT: "no step to the right was seen",
    TWO_LEFT: "no step to the left was seen",
    TWO_RIGHT: "no step to the right was seen",
}


@dataclass(frozen=True, slots=True)
class Stance:
    """One body of the calibration from one frame alone, without foot locking."""

    t: float
    person: Person
    camera: Camera  # of this frame
    joints_cam: Array  # (24, 3) metres, camera axes, camera at the origin


class Guide:
    """State machine of the calibration: `see` takes solved frames; at state "done" the stances can be measured."""

    def __init__(self) -> None:
        self.standing: list[Stance] = []
        self.sides: tuple[list[Stance], list[Stance]] = ([], [])  # to the person's left, to their right
        self.guidance = Guidance(STAND)
        self._part = 0  # 0 standing, 1 first side, 2 second side, 3 done
        self._part_began: float | None = None
        self._hint_since = 0.0

    def see(self, solved: SolvedFrame) -> Guidance:
        """Return the message after this frame; the final message stays."""
        if self.guidance.state != "going":
            return self.guidance
        t, part = solved.frame.t_capture, self._part
        hint = self._step(t, solved)
        if self._part_began is None or self._part > part:
            self._part_began = t
        if self._part == 3:
            self.guidance = Guidance("Calibrated", 1.0, "done")
        elif t - self._part_began > PATIENCE_S:
            self._fail(_GAVE_UP[hint])
        elif hint != self.guidance.text and self._part <= part and t - self._hint_since < _STEADY_S:
            self.guidance = Guidance(self.guidance.text, self._progress)
        else:
            self._hint_since = t if hint != self.guidance.text else self._hint_since
            self.guidance = Guidance(hint, self._progress)
        return self.guidance

    def end(self) -> Guidance:
        """Finish after the last frame: an incomplete calibration has failed."""
        if self.guidance.state == "going":
            self._fail(f"the pictures ended at '{self.guidance.text}'")
        return self.guidance

    @property
    def _progress(self) -> float:
        """Progress from 0 to 1; standing is the first half."""
        stood_s = self.standing[-1].t - self.standing[0].t if self.standing else 0.0
        return 0.5 * min(1.0, stood_s / STILL_S) + 0.25 * max(0, self._part - 1)

    def _fail(self, why: str) -> None:
        self.guidance = Guidance(f"Not calibrated: {why}", self._progress, "failed")

    def _step(self, t: float, solved: SolvedFrame) -> str:
        """Process a frame; return the obstacle, or the next instruction."""
        people = [person for person in solved.people if person.valid]
        if len(people) != 1 or solved.T_world_cam is None:
            self._interrupt()
            return CROWD if len(people) > 1 else NOBODY
        (person,) = people
        joints_cam = ((person.raw.joints - solved.T_world_cam) @ solved.camera.R_world_cam).astype(np.float32)
        stance = Stance(t, person, solved.camera, joints_cam)
        if self._part and not self._is_the_same(stance):
            self.standing, self.sides, self._part = [], ([], []), 0
        return self._aside(stance) if self._part else self._stand(stance, solved.frame.size)

    def _interrupt(self) -> None:
        """Reset the unfinished part: nobody is visible, or more than one person."""
        if not self._part:
            self.standing = []
        for side in self.sides:
            if not _lasted(side):
                side.clear()

    def _is_the_same(self, stance: Stance) -> bool:
        """Return whether person and camera are the same as in the standing part; there the tilt may still change."""
        first = self.standing[0]
        now = stance.camera if not self._part else replace(first.camera, fov_deg=stance.camera.fov_deg)
        same_camera = now.differs_deg(first.camera) <= _ANOTHER_CAMERA_DEG
        return same_camera and stance.person.id == first.person.id and stance.t >= first.t

    def _stand(self, stance: Stance, size: tuple[int, int]) -> str:
        hindrance = _hindrance(stance, size)
        if hindrance is not None:
            self.standing = []
            return hindrance
        if not (self.standing and self._is_the_same(stance) and self._is_still(stance)):
            self.standing = []
        self.standing.append(stance)
        if stance.t - self.standing[0].t < STILL_S:
            return STAND
        self._part = 1
        return LEFT

    def _is_still(self, stance: Stance) -> bool:
        mean = np.mean([other.joints_cam for other in self.standing], axis=0)
        moved_m = np.linalg.norm((stance.joints_cam - mean) * np.array([1, 1, _DEPTH_COUNTS]), axis=1)
        return bool(moved_m.max() < _SWAY_M)

    def _aside(self, stance: Stance) -> str:
        """Process a side step. A person who faces the camera has +x at their left."""
        aside_m = float(stance.joints_cam[0, 0] - np.mean([other.joints_cam[0, 0] for other in self.standing]))
        for side, away_m in zip(self.sides, (aside_m, -aside_m), strict=True):
            if away_m >= STEP_M:
                side.append(stance)
            elif not _lasted(side):
                side.clear()
        left, right = map(_lasted, self.sides)
        self._part = 1 + left + right
        if left == right:
            return LEFT
        return TWO_RIGHT if left else TWO_LEFT


def _lasted(side: list[Stance]) -> bool:
    return bool(side) and side[-1].t - side[0].t >= SIDE_S


def _hindrance(stance: Stance, size: tuple[int, int]) -> str | None:
    """Return why this body is not an upright, fully visible one with hanging arms; None if it is."""
    seen, joints = stance.person.keypoints["body"], stance.person.raw.joints
    legs_px = seen.image_px[leg_keypoints(seen.layout)]
    inside = ((legs_px >= 0) & (legs_px < np.array(size))).all()
    if not (inside and legs_are_sure(seen)):
        return LEGS_UNSEEN
    if not legs_are_straight(joints) or body_up(joints)[1] < _UPRIGHT:
        return BENT
    return ARMS if (joints[_WRISTS, 1] > joints[0, 1] + _ARMS_HANG_M).any() else None
