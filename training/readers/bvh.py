"""Reads BVH and converts its joint rotations to SMPL's rest pose, matching joints by name.

Y up. A rest pose other than SMPL's T-pose is converted bone by bone. The shortest rotation takes each bone's direction
in SMPL's rest pose to that in the file's. The twist about a bone in the rest pose is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import load_body
from engine.body.rotations import rotation_between
from engine.body.skeleton import JOINT_NAMES, PARENTS
from training.readers.clip import NUM_POSED, PoseClip, checked_clip, read_clips
from training.readers.files import BrokenFileError

FORM = "BVH"
# Spellings besides SMPL's own, in lower case without separators and prefixes: CMU, Mixamo, MotionBuilder.
_SPELLINGS = {
    "pelvis": ("hips", "hip"), "spine1": ("spine", "lowerback"), "spine2": ("spine1",), "spine3": ("spine2",),
    "neck": ("neck", "neck1"), "head": ("head",),
    "left_hip": ("leftupleg", "lefthip"), "left_knee": ("leftleg",), "left_ankle": ("leftfoot",),
    "left_foot": ("lefttoebase", "lefttoe"), "left_collar": ("leftshoulder", "leftcollar"),
    "left_shoulder": ("leftarm",), "left_elbow": ("leftforearm",), "left_wrist": ("lefthand",),
}  # fmt: skip
_NEEDED = ("pelvis", "left_hip", "left_knee", "left_shoulder", "left_elbow")
# The joint that each joint's bone points to, if it is unique.
_BONE_END = {1: 4, 2: 5, 4: 7, 5: 8, 7: 10, 8: 11, 13: 16, 14: 17, 16: 18, 17: 19, 18: 20, 19: 21, 3: 6, 6: 9, 12: 15}


@dataclass
class _Joint:
    name: str
    parent: int
    offset: NDArray[np.float64]
    channels: list[str] = field(default_factory=list)


def read(folder: Path) -> list[PoseClip]:
    """Read all files below a folder. Raises EngineError."""
    return read_clips(folder, "**/*.[bB][vV][hH]", FORM, _clips)


def _clips(path: Path) -> Iterator[PoseClip]:
    try:
        joints, motion, frame_s = _parse(path.read_text(encoding="utf-8", errors="replace"))
        world = _world_rotations(joints, motion)
    except (OSError, ValueError, IndexError) as error:
        raise BrokenFileError(f"{path} is no BVH that can be read ({error})") from error
    index = _named(joints, path)
    bridges = _bridges(joints, index)
    turned: list[Rotation | None] = []
    local = np.zeros((len(motion), NUM_POSED, 3))
    for joint in range(NUM_POSED):
        parent = turned[int(PARENTS[joint])] if joint else None
        here = world[index[joint]] * bridges[joint] if index[joint] >= 0 else parent
        assert here is not None  # the pelvis is required
        local[:, joint] = (here if parent is None else parent.inv() * here).as_rotvec()
        turned.append(here)
    yield checked_clip(path.stem, local.reshape(len(motion), -1), 1 / frame_s, z_up=False)


def _parse(text: str) -> tuple[list[_Joint], NDArray[np.float64], float]:
    """Parse joints in the file's order (end sites only as offsets), motion (N, channels), and seconds a frame."""
    head, _, tail = text.partition("MOTION")
    if "HIERARCHY" not in head or not tail:
        raise ValueError("it has no HIERARCHY with MOTION")
    words = iter(head.split())
    joints: list[_Joint] = []
    stack: list[int] = []
    for word in words:
        if word in ("ROOT", "JOINT", "End"):
            joints.append(_Joint(next(words), stack[-1] if stack else -1, np.zeros(3)))
            if word == "End":
                joints[-1].name = ""
        elif word == "{":
            stack.append(len(joints) - 1)
        elif word == "}":
            stack.pop()
        elif word == "OFFSET":
            joints[stack[-1]].offset = np.array([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            joints[stack[-1]].channels = [next(words) for _ in range(int(next(words)))]
    found = re.search(r"Frames:\s*(\d+)\s*Frame Time:\s*([\d.eE+-]+)", tail)
    if found is None or float(found[2]) <= 0:
        raise ValueError("it has no frames or no frame time")
    motion = np.array(tail[found.end() :].split(), np.float64)
    columns = sum(len(joint.channels) for joint in joints)
    if not columns or len(motion) != int(found[1]) * columns or not len(motion):
        raise ValueError(f"{len(motion)} numbers for {found[1]} frames of {columns} channels")
    if not np.isfinite(motion).all() or not all(np.isfinite(joint.offset).all() for joint in joints):
        raise ValueError("it holds numbers that are not finite")
    return joints, motion.reshape(-1, columns), float(found[2])


def _world_rotations(joints: list[_Joint], motion: NDArray) -> list[Rotation]:
    """Compute each joint's rotation from its rest pose, in the world, over all frames."""
    world: list[Rotation] = []
    column = 0
    for joint in joints:
        values = motion[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        turns = [i for i, channel in enumerate(joint.channels) if channel.endswith("rotation")]
        local = Rotation.identity(len(motion))
        if turns:
            axes = "".join(joint.channels[i][0] for i in turns)
            local = Rotation.from_euler(axes, values[:, turns], degrees=True)
        world.append(world[joint.parent] * local if joint.parent >= 0 else local)
    return world


def _named(joints: list[_Joint], path: Path) -> list[int]:
    """Return the index in the file of each of SMPL's first 22 joints, -1 for none."""
    spelt = [re.sub(r"[^a-z0-9]", "", joint.name.rpartition(":")[2].lower()) for joint in joints]
    as_smpl = all(re.sub("_", "", name) in spelt for name in _NEEDED)
    index = []
    for name in JOINT_NAMES[:NUM_POSED]:
        others = _SPELLINGS.get(name.replace("right", "left"), ())
        wanted = [name.replace("_", "")] if as_smpl else [other.replace("left", _side(name)) for other in others]
        index.append(next((spelt.index(one) for one in wanted if one in spelt), -1))
    missing = [name for name in _NEEDED if index[JOINT_NAMES.index(name)] < 0]
    if missing:
        names = ", ".join(joint.name for joint in joints[:5])
        raise BrokenFileError(f"{path} has no joint that is the {missing[0]}; its joints are {names} and so on")
    return index


def _side(name: str) -> str:
    return "right" if "right" in name else "left"


def _bridges(joints: list[_Joint], index: list[int]) -> list[Rotation]:
    """Return, for each of SMPL's joints, the rotation from its bone's rest direction in SMPL to that in the file."""
    smpl_rest = load_body("open").joints_template.astype(np.float64)
    rest = np.zeros((len(joints), 3))
    for i, one in enumerate(joints):
        rest[i] = one.offset + (rest[one.parent] if one.parent >= 0 else 0)
    bridges = [Rotation.identity()] * NUM_POSED
    for joint, end in _BONE_END.items():
        if index[joint] < 0 or index[end] < 0:
            continue
        there, here = rest[index[end]] - rest[index[joint]], smpl_rest[end] - smpl_rest[joint]
        if min(np.linalg.norm(there), np.linalg.norm(here)) > 1e-6:
            bridges[joint] = Rotation.from_matrix(rotation_between(here, there))
    for joint, source in ((20, 18), (21, 19), (10, 7), (11, 8)):  # end joints rotate as their parents
        bridges[joint] = bridges[source]
    return bridges
