"""A made-up avatar as a VRM file, of version 0 or 1: every humanoid bone, a mesh of three corners, a morph a face.

Its build is nobody's: a large head, short legs, hands of its own. Places are metres in the axes of our world: Y up,
the face towards +Z, +X the avatar's left.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.expressions import BLENDSHAPES

# A bone by its name in Unity's HumanBodyBones: its parent, its place from there at rest; the right side is mirrored.
_TRUNK: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "Hips": (None, (0, 0.52, 0.01)), "Spine": ("Hips", (0, 0.06, -0.01)), "Chest": ("Spine", (0, 0.08, 0)),
    "UpperChest": ("Chest", (0, 0.07, -0.02)), "Neck": ("UpperChest", (0, 0.09, 0.01)),
    "Head": ("Neck", (0, 0.05, 0.02)),
}  # fmt: skip
_LEFT: dict[str, tuple[str, tuple[float, float, float]]] = {
    "UpperLeg": ("Hips", (0.06, -0.03, 0)), "LowerLeg": ("LeftUpperLeg", (0.005, -0.2, 0.01)),
    "Foot": ("LeftLowerLeg", (0, -0.23, -0.02)), "Toes": ("LeftFoot", (0.01, -0.04, 0.08)),
    "Shoulder": ("UpperChest", (0.02, 0.07, 0)), "UpperArm": ("LeftShoulder", (0.07, 0.01, -0.01)),
    "LowerArm": ("LeftUpperArm", (0.17, 0, -0.01)), "Hand": ("LeftLowerArm", (0.15, 0.005, 0.01)),
    "Eye": ("Head", (0.04, 0.08, 0.06)),
}  # fmt: skip
_KNUCKLES = {  # from the wrist, and how long the two bones beyond it are
    "Thumb": ((0.02, -0.01, 0.02), (0.02, 0.016)), "Index": ((0.06, 0.002, 0.018), (0.025, 0.017)),
    "Middle": ((0.063, 0.004, 0), (0.028, 0.018)), "Ring": ((0.059, 0.002, -0.016), (0.025, 0.017)),
    "Little": ((0.052, -0.001, -0.03), (0.019, 0.012)),
}  # fmt: skip
PRESETS = {  # by their names in VRM 1: those in VRM 0
    "blink": "blink", "blinkLeft": "blink_l", "blinkRight": "blink_r", "aa": "a", "ih": "i", "ou": "u", "ee": "e",
    "oh": "o", "lookUp": "lookup", "lookDown": "lookdown", "lookLeft": "lookleft", "lookRight": "lookright",
}  # fmt: skip
EXPRESSIONS = (*PRESETS, *BLENDSHAPES)  # one morph each, in this order


def _bones() -> dict[str, tuple[str | None, NDArray]]:
    left = {f"Left{name}": bone for name, bone in _LEFT.items()}
    for finger, (knuckle, (first, second)) in _KNUCKLES.items():
        along = np.array((0.5**0.5, 0, 0.5**0.5)) if finger == "Thumb" else np.array((1.0, 0, 0))
        left[f"Left{finger}Proximal"] = ("LeftHand", knuckle)
        left[f"Left{finger}Intermediate"] = (f"Left{finger}Proximal", tuple(first * along))
        left[f"Left{finger}Distal"] = (f"Left{finger}Intermediate", tuple(second * along))
    right = {
        name.replace("Left", "Right"): (parent.replace("Left", "Right"), (-offset[0], *offset[1:]))
        for name, (parent, offset) in left.items()
    }
    return {name: (parent, np.array(offset, float)) for name, (parent, offset) in (_TRUNK | left | right).items()}


BONES = _bones()  # parents first
_BONES_VRM1 = {"ThumbProximal": "ThumbMetacarpal", "ThumbIntermediate": "ThumbProximal"}  # the others' names are kept


def write(path: Path, version: int) -> None:
    """Write the avatar as VRM `version`, 0 or 1.

    VRM 1 faces +Z and lets a bone have axes of its own, here at random. VRM 0 faces -Z, its bones' axes are the
    file's.
    """
    front = np.array([1, 1, 1]) if version == 1 else np.array([-1, 1, -1])
    names = list(BONES)
    turns = Rotation.random(len(names), random_state=5) if version == 1 else Rotation.identity(len(names))
    nodes: list[dict[str, Any]] = []
    for index, (name, (parent, offset)) in enumerate(BONES.items()):
        above = turns[names.index(parent)] if parent else Rotation.identity()
        children = [k for k, other in enumerate(names) if BONES[other][0] == name]
        nodes.append(
            {
                "name": f"bone {name}",
                "translation": above.inv().apply(offset * front).tolist(),
                "rotation": (above.inv() * turns[index]).as_quat().tolist(),
                **({"children": children} if children else {}),
            }
        )
    face = len(nodes)
    nodes.append({"name": "face", "mesh": 0})
    humanoid, blendshapes = (_vrm1 if version == 1 else _vrm0)(names, face)
    _write_glb(path, nodes, [names.index("Hips"), face], humanoid | blendshapes)


def _vrm1(names: list[str], face: int) -> tuple[dict[str, Any], dict[str, Any]]:
    def expression(morph: int) -> dict[str, Any]:
        return {"morphTargetBinds": [{"node": face, "index": morph, "weight": 1.0}]}

    expressions = {name: expression(morph) for morph, name in enumerate(EXPRESSIONS)}
    bones = {vrm_name(name): {"node": index} for index, name in enumerate(names)}
    vrm = {
        "specVersion": "1.0",
        "meta": {"name": "made up", "authors": ["a test"], "licenseUrl": "https://vrm.dev/licenses/1.0/"},
        "humanoid": {"humanBones": bones},
        "lookAt": {"type": "bone"},
        "expressions": {
            "preset": {name: expressions[name] for name in PRESETS},
            "custom": {name: expressions[name] for name in BLENDSHAPES},
        },
    }
    return {"extensionsUsed": ["VRMC_vrm"]}, {"extensions": {"VRMC_vrm": vrm}}


def _vrm0(names: list[str], _: int) -> tuple[dict[str, Any], dict[str, Any]]:
    groups = [
        {
            "name": name,
            "presetName": PRESETS.get(name, "unknown"),
            "binds": [{"mesh": 0, "index": morph, "weight": 100}],
        }
        for morph, name in enumerate(EXPRESSIONS)
    ]
    curve = {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": 90, "yRange": 10}
    sides = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    vrm = {
        "specVersion": "0.0",
        "exporterVersion": "a test",
        "meta": {"title": "made up", "author": "a test"},
        "humanoid": {"humanBones": [{"bone": _lower(name), "node": index} for index, name in enumerate(names)]},
        "firstPerson": {"lookAtTypeName": "Bone", **{f"lookAt{side}": curve for side in sides}},
        "blendShapeMaster": {"blendShapeGroups": groups},
        "secondaryAnimation": {"boneGroups": [], "colliderGroups": []},
        "materialProperties": [],
    }
    return {"extensionsUsed": ["VRM"]}, {"extensions": {"VRM": vrm}}


def vrm_name(name: str) -> str:
    """A bone's name in VRM 1: HumanBodyBones' but for the thumb, whose first bone is the metacarpal there."""
    for end, other in _BONES_VRM1.items():
        if name.endswith(end):
            return _lower(name.removesuffix(end) + other)
    return _lower(name)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _write_glb(path: Path, nodes: list[dict[str, Any]], roots: list[int], rest: dict[str, Any]) -> None:
    corners = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], "<f4")
    lift = np.array([[0, 0, 0.1]] * 3, "<f4")  # what every morph does
    bounds = [{"min": array.min(0).tolist(), "max": array.max(0).tolist()} for array in (corners, lift)]
    blob = corners.tobytes() + lift.tobytes()
    document = {
        "asset": {"version": "2.0", "generator": "a test"},
        "scene": 0,
        "scenes": [{"nodes": roots}],
        "nodes": nodes,
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0}, "targets": [{"POSITION": 1} for _ in EXPRESSIONS]}]},
        ],
        "accessors": [
            {"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3", **bounds[view]} for view in (0, 1)
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": 36 * view, "byteLength": 36} for view in (0, 1)],
        "buffers": [{"byteLength": len(blob)}],
        **rest,
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(blob), b"BIN\0") + blob
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
