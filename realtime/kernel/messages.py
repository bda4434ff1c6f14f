"""Records that flow from stage to stage during a run: small and frozen, in the order of the stages.

Frames: image pixels have x right and y down from the top left corner; the camera frame has x right, y down and z
forward. The world is right-handed with Y up, on the floor. `T_cam_x` is the position of x in the camera frame. Lengths
are metres, angles radians, times seconds on the monotonic clock (`time.monotonic`), unless a name states otherwise.
Rotations are local, parent to child, in SMPL's 24-joint order. Arrays of a record are read-only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import Keypoints
from engine.body.skeleton import Side

Array = NDArray[np.float32]
Part = Literal["body", "left_hand", "right_hand", "face"]


NO_CONTACTS = np.zeros(4, np.float32)
ON_THE_FLOOR = np.zeros(2, np.float32)
for _array in (NO_CONTACTS, ON_THE_FLOOR):
    _array.setflags(write=False)

CameraSource = Literal["given", "profile", "room", "people", "assumed"]


@dataclass(frozen=True, slots=True)
class Camera:
    """Estimate of the camera: field of view, and orientation relative to gravity."""

    fov_deg: float  # horizontal
    pitch_deg: float = 0.0  # positive: it looks down
    roll_deg: float = 0.0  # positive: upright objects lean to the right in the image
    source: CameraSource = "given"  # the user, --calibrate, a room's edges, standing people, or the default
    doubt_deg: float = 0.0  # standard deviation of gravity's direction

    def __str__(self) -> str:
        where = "down" if self.pitch_deg >= 0 else "up"
        stands = f"looks {abs(self.pitch_deg):.1f} {where}, rolls {self.roll_deg:+.1f}"
        return f"{self.fov_deg:.1f} degrees wide, {stands} ({self.source}, within {self.doubt_deg:.1f})"

    def differs_deg(self, other: Camera) -> float:
        """Return the largest difference of two cameras' angles."""
        differences = self.fov_deg - other.fov_deg, self.pitch_deg - other.pitch_deg, self.roll_deg - other.roll_deg
        return max(map(abs, differences))

    @property
    def up_cam(self) -> Array:
        """Unit vector (3,) against gravity in the camera's axes."""
        pitch, roll = math.radians(self.pitch_deg), math.radians(self.roll_deg)
        level = math.cos(pitch)
        return np.array([level * math.sin(roll), -level * math.cos(roll), -math.sin(pitch)], np.float32)

    @property
    def R_world_cam(self) -> Array:
        """Rotation (3, 3) from the camera's axes to the world's: Y up, Z level towards the camera, X to its right."""
        up = self.up_cam.astype(np.float64)
        towards = -np.array([0.0, 0.0, 1.0]) + up[2] * up
        towards /= np.linalg.norm(towards)
        return np.stack([np.cross(up, towards), up, towards]).astype(np.float32)


LEVEL = Camera(fov_deg=60.0, source="assumed")


@dataclass(frozen=True, slots=True)
class Guidance:
    """Present message to a person who calibrates."""

    text: str  # one short line
    progress: float = 0.0  # 0..1
    state: Literal["going", "done", "failed"] = "going"


SAME_TIME_S = 5e-4  # times of a file's frames that are no further apart are the same: files round them


@dataclass(frozen=True, slots=True)
class Frame:
    """One image from a source."""

    image_bgr: NDArray[np.uint8]  # (H, W, 3)
    seq: int  # counts from 0 within a session, across reconnects
    t_capture: float  # when the grab returned; for a file read offline, the frame's time in the file
    t_file: float | None = None  # s after the file's first frame, also if the file is played; None: not from a file

    @property
    def size(self) -> tuple[int, int]:
        """Size (width, height) in pixels."""
        return self.image_bgr.shape[1], self.image_bgr.shape[0]


@dataclass(frozen=True, slots=True)
class TrackedPerson:
    """Person found in one frame; `id` is constant while the track lives."""

    id: int
    keypoints: Mapping[Part, Keypoints]  # of the body always; of other parts in the frames in which they were measured
    box_xyxy: Array  # (4,) pixels, around the visible keypoints of the body, unpadded
    standing: Literal["earning", "confirmed", "doubted"] = "confirmed"  # see `realtime.perception.people.standing`


@dataclass(frozen=True, slots=True)
class Sighting:
    """Output of perception for a frame."""

    frame: Frame
    people: tuple[TrackedPerson, ...]
    performer: int | None = None  # id of the one whom `--person` or the user chose; they need not be in view
    waiting: tuple[TrackedPerson, ...] = ()  # those for whose look there was no time, as they were seen last


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Body in the camera frame."""

    rotmats: Array  # (24, 3, 3) local; [0] rotates the body's root frame into the camera frame
    T_cam_root: Array  # (3,) the pelvis joint
    betas: Array  # (10,)
    scale: float = 1.0  # the person's size relative to the loaded body's

    def at_scale(self, scale: float) -> CameraPose:
        """Scale a pose at scale 1: nearer or farther, with the same image."""
        return self if scale == 1 else replace(self, T_cam_root=np.float32(scale) * self.T_cam_root, scale=scale)


@dataclass(frozen=True, slots=True)
class Hand:
    """Fingers of one hand. Joints are `engine.body.skeleton.FINGER_JOINTS`; an open, straight hand is the identity."""

    rotations: Array  # (15, 4) unit quaternions x, y, z, w, local, in the axes of the body's T-pose; smoothed
    raw: Array  # (15, 4) of the latest measurement alone
    confidence: float  # 0..1; 0: the hand is not seen, and eases to a relaxed one


@dataclass(frozen=True, slots=True)
class Face:
    """Expression and gaze of one face."""

    blendshapes: Array  # (52,) 0..1 in the order of `engine.body.expressions.BLENDSHAPES`
    gaze_rad: Array  # (2,) yaw to the person's left and pitch up, relative to the head
    confidence: float  # 0..1; 0: the face is not seen, and eases to a neutral one


@dataclass(frozen=True, slots=True)
class Estimate:
    """Output of an estimator for one person in one frame."""

    person: TrackedPerson
    confidence: float  # 0..1
    tokens: NDArray[np.int16]  # (T,) the frame's most likely codes
    raw: CameraPose  # this frame alone
    steady: CameraPose  # after token smoothing; the same object as `raw` when that is off
    joint_confidence: Array  # (24,) 0..1, visibility of each joint (`realtime.kernel.seen`)
    hands: Mapping[Side, Hand] = field(default_factory=dict)  # both or, where hands are not looked for, none
    face: Face | None = None  # None: faces are not looked for


@dataclass(frozen=True, slots=True)
class EstimatedFrame:
    """Frame with the estimates of everybody in it who can be estimated."""

    frame: Frame
    people: tuple[Estimate, ...]


@dataclass(frozen=True, slots=True)
class WorldPose:
    """Body in the world: the program's output."""

    rotations: Array  # (24, 4) unit quaternions x, y, z, w, local; [0] rotates the body's root frame into the world
    trans: Array  # (3,) the pelvis joint
    joints: Array  # (24, 3)


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a solved frame."""

    id: int
    confidence: float
    valid: bool  # False while a track coasts through missing frames, or if a number was not finite
    betas: Array  # (10,)
    tokens: NDArray[np.int16]  # (T,)
    raw: WorldPose  # this frame alone
    pose: WorldPose  # smoothed: displayed, streamed and recorded as `poses`
    keypoints: Mapping[Part, Keypoints]  # as the detectors saw them; of somebody who is held, when last seen
    joint_confidence: Array  # (24,) 0..1, visibility of each joint: near 0, its pose is a guess
    scale: float = 1.0  # the person's size relative to the loaded body's, of both poses
    in_picture: WorldPose | None = None  # `pose` without foot locking, aligned with the image; None: same
    # (4,) 0..1, contact of left heel, left toe, right heel, right toe
    contacts: Array = field(default_factory=lambda: NO_CONTACTS)
    # (2,) metres, height above the floor of the surface under the left and the right foot, if they stand
    support_m: Array = field(default_factory=lambda: ON_THE_FLOOR)
    hands: Mapping[Side, Hand] = field(default_factory=dict)  # both or, where hands are not looked for, none
    face: Face | None = None  # None: faces are not looked for


@dataclass(frozen=True, slots=True)
class SolvedFrame:
    """Result of the pose path for one frame, fanned out to viewer, streams and recorder."""

    frame: Frame
    people: tuple[Person, ...]
    t_solved: float
    T_world_cam: Array | None = None  # (3,) camera position at that time; None: nobody was visible yet
    camera: Camera = LEVEL  # estimate at that time
    performer: int | None = None  # id of the one whom `--person` or the user chose; they need not be in view
