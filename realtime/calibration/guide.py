"""Leads somebody through a calibration: stand still, arms at your sides; then one step to each side.

A pure machine over solved frames and their times: it reads no clock, draws nothing and keeps no file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.body.skeleton import JOINT_NAMES, LANDMARK_NAMES
from realtime.calibration.upright import SEEN, body_up, legs_are_straight
from realtime.calibration.watch import differs_deg
from realtime.kernel.messages import Array, Camera, Guidance, Person, SolvedFrame

STILL_S, SIDE_S = 2.0, 0.4  # to stand, and to stay aside
STEP_M = 0.25  # aside, from where the person stood
PATIENCE_S = 30.0  # for each part: long enough to walk from the keyboard to one's place
_SWAY_M = 0.10  # of any joint from its mean, while still
_DEPTH_COUNTS = 0.4  # of a move along the line of sight, of which one camera is least sure
_ARMS_HANG_M = 0.15  # a wrist that hangs is at most this far above the pelvis
_UPRIGHT = 0.5  # cosine of the tilt of who stands: a camera whose own is not known may show them so
_ANOTHER_CAMERA_DEG = 3.0  # found in the middle of it: the standing begins anew
_STEADY_S = 0.5  # a hint stays this long at least: nobody reads what flickers

_LEGS = [i for i, name in enumerate(LANDMARK_NAMES) if name.endswith(("hip", "knee", "ankle"))]
_WRISTS = [JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")]

NOBODY, CROWD = "Step into the picture", "Only one person: the others step aside"
LEGS_UNSEEN, BENT = "Step back until the camera sees your feet", "Stand up straight"
ARMS, STAND = "Let your arms hang at your sides", "Stand still, arms at your sides"
LEFT, RIGHT = "One step to your left", "One step to your right"
TWO_LEFT, TWO_RIGHT = "Two steps to your left", "Two steps to your right"
_GAVE_UP = {  # what the end of all patience makes of a hint
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
    """One body of the calibration, as one frame alone has it: no foot is held where it stands."""

    t: float
    person: Person
    camera: Camera  # through which it was seen
    joints_cam: Array  # (24, 3) metres from the camera, in its axes


class Guide:
    """`see` takes every solved frame and says what to tell; once that is 'done', the stances are to be measured."""

    def __init__(self) -> None:
        self.standing: list[Stance] = []
        self.sides: tuple[list[Stance], list[Stance]] = ([], [])  # to the person's left, to their right
        self.guidance = Guidance(STAND)
        self._part = 0  # standing, the first side, the second
        self._part_began: float | None = None
        self._hint_since = 0.0

    def see(self, solved: SolvedFrame) -> Guidance:
        """What to tell after this frame; the last word stays."""
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
        """No frame comes any more: what is not done by now has failed."""
        if self.guidance.state == "going":
            self._fail(f"the pictures ended at '{self.guidance.text}'")
        return self.guidance

    @property
    def _progress(self) -> float:
        """0..1: half of it is standing."""
        stood_s = self.standing[-1].t - self.standing[0].t if self.standing else 0.0
        return 0.5 * min(1.0, stood_s / STILL_S) + 0.25 * max(0, self._part - 1)

    def _fail(self, why: str) -> None:
        self.guidance = Guidance(f"Not calibrated: {why}", self._progress, "failed")

    def _step(self, t: float, solved: SolvedFrame) -> str:
        """Take in a frame; what hinders, or is to be done next."""
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
        """Nobody is there, or too many: what lasts must begin anew."""
        if not self._part:
            self.standing = []
        for side in self.sides:
            if not _lasted(side):
                side.clear()

    def _is_the_same(self, stance: Stance) -> bool:
        """Whether it is the person who stood, before the same camera; its tilt may become known after that."""
        first = self.standing[0]
        now = stance.camera if not self._part else replace(first.camera, fov_deg=stance.camera.fov_deg)
        same_camera = differs_deg(now, first.camera) <= _ANOTHER_CAMERA_DEG
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
        """Take in somebody who has stood and now steps aside; who faces the camera has +x at their left."""
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
    """What keeps this body from being one that stands with its arms down, in full view."""
    seen, joints = stance.person.tracked.landmarks, stance.person.raw.joints
    inside = ((seen.image_px[_LEGS] >= 0) & (seen.image_px[_LEGS] < np.array(size))).all()
    if not (inside and (seen.visibility[_LEGS] > SEEN).all()):
        return LEGS_UNSEEN
    if not legs_are_straight(joints) or body_up(joints)[1] < _UPRIGHT:
        return BENT
    return ARMS if (joints[_WRISTS, 1] > joints[0, 1] + _ARMS_HANG_M).any() else None
