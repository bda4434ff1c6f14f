"""Binary glTF 2.0: the skinned body, its skeleton and the motion, in one file. Metres, Y up, +Z forward: as ours.

Written by hand: the container is a header and two chunks (Khronos, glTF 2.0 specification, section 4). Pose blend
shapes, which an SMPL file may have, do not exist in glTF and are left out.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.skeleton import JOINT_NAMES, NUM_JOINTS, PARENTS
from realtime.body.model import Array
from realtime.outputs.export.motion import local_quaternions, pelvis_positions
from realtime.outputs.export.shape import StandingBody
from realtime.outputs.session import SMPLH_BODY_JOINTS, Session

_FLOAT, _USHORT, _UINT = 5126, 5123, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_MESH_NODE = NUM_JOINTS  # after the joints, which are nodes 0..23


class _Buffer:
    """The binary chunk as it grows, with the accessors that say what lies where."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Append `array`, whose rows are `kind`; returns the index of its accessor."""
        component = {"f": _FLOAT, "H": _USHORT, "I": _UINT}[array.dtype.char]
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.data), "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": component,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.data += array.tobytes() + bytes(-array.nbytes % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def glb_bytes(session: Session, body: StandingBody) -> bytes:
    """The session on `body` (the one that it was recorded with) as a .glb."""
    buffer = _Buffer()
    attributes = {
        "POSITION": buffer.add(body.vertices, "VEC3", target=_VERTEX_BUFFER, bounds=True),
        "NORMAL": buffer.add(body.normals, "VEC3", target=_VERTEX_BUFFER),
        "JOINTS_0": buffer.add(body.influences, "VEC4", target=_VERTEX_BUFFER),
        "WEIGHTS_0": buffer.add(body.weights, "VEC4", target=_VERTEX_BUFFER),
    }
    indices = buffer.add(body.faces.reshape(-1).astype(np.uint32), "SCALAR", target=_INDEX_BUFFER)
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (NUM_JOINTS, 1, 1))
    inverse_bind[:, 3, :3] = -body.joints  # column-major: the last row here is the last column there
    skin = {
        "joints": list(range(NUM_JOINTS)),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(inverse_bind, "MAT4"),
    }
    animation = _animation(session, buffer)
    document = {
        "asset": {"version": "2.0", "generator": "tokenmocap"},
        "scene": 0,
        "scenes": [{"nodes": [0, _MESH_NODE]}],
        "nodes": [*_joint_nodes(body.offsets), {"name": body.name, "mesh": 0, "skin": 0}],
        "meshes": [{"name": body.name, "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}],
        "materials": [
            {
                "name": "body",
                "pbrMetallicRoughness": {
                    "baseColorFactor": [0.75, 0.55, 0.42, 1.0],
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.8,
                },
            }
        ],
        "skins": [skin],
        "animations": [animation],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    return _container(json.dumps(document, separators=(",", ":")).encode(), bytes(buffer.data))


def _joint_nodes(offsets: Array) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(JOINT_NAMES):
        node: dict[str, Any] = {"name": name, "translation": offsets[joint].tolist()}
        children = np.flatnonzero(joint == PARENTS).tolist()
        if children:
            node["children"] = children
        nodes.append(node)
    return nodes


def _animation(session: Session, buffer: _Buffer) -> dict[str, Any]:
    """The pelvis' place and the rotations of the root and the 21 body joints; the hands stay at rest."""
    seconds = session.timestamps - session.start_s  # players begin at zero, whenever the person came
    times = buffer.add(seconds.astype(np.float32), "SCALAR", bounds=True)
    rotations = local_quaternions(session)
    outputs = [(0, "translation", buffer.add(pelvis_positions(session), "VEC3"))]
    outputs += [(j, "rotation", buffer.add(rotations[:, j], "VEC4")) for j in range(SMPLH_BODY_JOINTS)]
    return {
        "name": "session",
        "samplers": [{"input": times, "interpolation": "LINEAR", "output": output} for _, _, output in outputs],
        "channels": [
            {"sampler": k, "target": {"node": joint, "path": path}} for k, (joint, path, _) in enumerate(outputs)
        ],
    }


def _container(text: bytes, data: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), _JSON_CHUNK) + text + struct.pack("<II", len(data), _BINARY_CHUNK) + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
