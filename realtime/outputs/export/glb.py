"""Writes binary glTF 2.0: skinned body, skeleton and motion in one file. Metres, Y up, +Z forward, as here.

The container is a header and two chunks (Khronos, glTF 2.0 specification, section 4). glTF has no pose-dependent blend
shapes, so those of an SMPL file are omitted. Expressions are animated morph targets by name. Those that the body does
not know move nothing: they carry the curves to a character that does.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from engine.body.model import Array
from engine.body.skeleton import Skeleton
from engine.files.whole_file import whole_file
from realtime.outputs.export import ExportError, ExportOptions
from realtime.outputs.export.motion import motion, moved_joints
from realtime.outputs.export.shape import StandingBody, standing_body
from realtime.outputs.recording.session import SessionHead

_FLOAT, _USHORT, _UINT = 5126, 5123, 5125
_VERTEX_BUFFER, _INDEX_BUFFER = 34962, 34963
_JSON_CHUNK, _BINARY_CHUNK = 0x4E4F534A, 0x004E4942
_HEADER_BYTES, _CHUNK = 12, struct.Struct("<II")  # of the file; of a chunk: length and kind
_LONGEST_BYTES = (1 << 32) - 1
_FLOATS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


class Buffer:
    """Growing binary chunk with its accessors.

    Static data come first and stay in memory; space for the motion is reserved after them.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.length = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, array: NDArray[Any], kind: str, *, target: int | None = None, bounds: bool = False) -> int:
        """Append `array`, whose rows are `kind`; return the index of its accessor."""
        component = {"f": _FLOAT, "H": _USHORT, "I": _UINT}[array.dtype.char]
        accessor: dict[str, Any] = {
            "bufferView": self._view(array, target),
            "componentType": component,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor |= {"min": flat.min(0).tolist(), "max": flat.max(0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def add_sparse(self, rows: Array) -> int:
        """Append the rows (V, 3) that are not zero; return the index of the accessor of all."""
        moved = np.flatnonzero(rows.any(axis=1))
        accessor: dict[str, Any] = {
            "componentType": _FLOAT,
            "count": len(rows),
            "type": "VEC3",
            "min": rows.min(0).tolist(),
            "max": rows.max(0).tolist(),
        }
        if len(moved):  # without, an accessor without a buffer holds zeros
            places, values = (self._view(array) for array in (moved.astype(np.uint32), rows[moved].astype(np.float32)))
            indices = {"bufferView": places, "componentType": _UINT}
            accessor["sparse"] = {"count": len(moved), "indices": indices, "values": {"bufferView": values}}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def _view(self, array: NDArray[Any], target: int | None = None) -> int:
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self.length, "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        self.data += array.tobytes() + bytes(-array.nbytes % 4)
        self.length = len(self.data)
        self.views.append(view)
        return len(self.views) - 1

    def reserve(self, count: int, kind: str, bounds: tuple[list[float], list[float]] | None = None) -> int:
        """Reserve space for `count` float rows of that `kind`; return the index of its accessor."""
        nbytes = 4 * count * _FLOATS[kind]
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _FLOAT,
            "count": count,
            "type": kind,
        }
        if bounds is not None:
            accessor |= {"min": bounds[0], "max": bounds[1]}
        self.views.append({"buffer": 0, "byteOffset": self.length, "byteLength": nbytes})
        self.accessors.append(accessor)
        self.length += nbytes
        return len(self.accessors) - 1

    def reserve_times(self, session: SessionHead) -> int:
        """Reserve space for the seconds of all frames, from 0; return the index of their accessor."""
        last_s = np.float32((session.frames - 1) / session.mocap_framerate)  # as the file has it
        return self.reserve(session.frames, "SCALAR", bounds=([0.0], [float(last_s)]))


def write(session: SessionHead, out: Path, options: ExportOptions) -> None:
    """Write a .glb. Raises ExportError, BodyFileError, OSError."""
    with whole_file(out) as file:
        write_glb(session, standing_body(session, options.body), file)


def write_glb(session: SessionHead, body: StandingBody, file: IO[bytes]) -> None:
    """Write the session on `body` (the one that it was recorded with) as a .glb, at the start of an empty `file`.

    Raises ExportError for a session that exceeds the format's four gigabytes.
    """
    buffer = Buffer()
    attributes = {
        "POSITION": buffer.add(body.vertices, "VEC3", target=_VERTEX_BUFFER, bounds=True),
        "NORMAL": buffer.add(body.normals, "VEC3", target=_VERTEX_BUFFER),
        "JOINTS_0": buffer.add(body.influences, "VEC4", target=_VERTEX_BUFFER),
        "WEIGHTS_0": buffer.add(body.weights, "VEC4", target=_VERTEX_BUFFER),
    }
    indices = buffer.add(body.faces.reshape(-1).astype(np.uint32), "SCALAR", target=_INDEX_BUFFER)
    num_joints = mesh_node = len(body.skeleton)  # the mesh comes after the joints
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (num_joints, 1, 1))
    inverse_bind[:, 3, :3] = -body.joints  # column-major: the last row here is the last column there
    skin = {
        "joints": list(range(num_joints)),
        "skeleton": 0,
        "inverseBindMatrices": buffer.add(inverse_bind, "MAT4"),
    }
    mesh = {"name": body.name, "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]}
    if body.expressions:
        _add_expressions(mesh, body.expressions, buffer)
    still = len(buffer.data)
    animation = _animation(session, buffer, body.skeleton)
    document = {
        "asset": {"version": "2.0", "generator": "tokenmocap"},
        "scene": 0,
        "scenes": [{"nodes": [0, mesh_node]}],
        "nodes": [*joint_nodes(body.skeleton, body.offsets), {"name": body.name, "mesh": 0, "skin": 0}],
        "meshes": [mesh],
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
        "buffers": [{"byteLength": buffer.length}],
    }
    start = write_head(document, buffer, session, file)
    write_columns(_columns(session, body.skeleton), session.frames, file, start + still)


def write_head(document: dict[str, Any], buffer: Buffer, session: SessionHead, file: IO[bytes]) -> int:
    """Write all but the motion; return where the binary data start in the file. Raises ExportError for over 4 GB."""
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    start = _HEADER_BYTES + 2 * _CHUNK.size + len(text)
    if start + buffer.length > _LONGEST_BYTES:
        raise ExportError(
            f"{session.frames} frames are more than the file holds (4 GB): cut the session, or write .bvh"
        )
    file.write(struct.pack("<4sII", b"glTF", 2, start + buffer.length) + _CHUNK.pack(len(text), _JSON_CHUNK) + text)
    file.write(_CHUNK.pack(buffer.length, _BINARY_CHUNK) + buffer.data)
    return start


def write_columns(columns: Iterable[Iterable[Array]], frames: int, file: IO[bytes], start: int) -> None:
    """Write the motion from `start` on: blocks of B frames, each with the rows (B, ...) of all columns in order."""
    first = 0
    for block in columns:
        column = start
        rows = 0
        for part in block:
            data, rows = part.astype("<f4").tobytes(), len(part)
            file.seek(column + first * len(data) // rows)
            file.write(data)
            column += frames * len(data) // rows
        first += rows


def _add_expressions(mesh: dict[str, Any], expressions: dict[str, Array], buffer: Buffer) -> None:
    """Add a morph target for each expression: displacements (V, 3) by name."""
    targets = [{"POSITION": buffer.add_sparse(displacements)} for displacements in expressions.values()]
    mesh["primitives"][0]["targets"] = targets
    mesh["weights"] = [0.0] * len(targets)
    mesh["extras"] = {"targetNames": list(expressions)}  # which Blender, three.js and others read


def joint_nodes(skeleton: Skeleton, offsets: Array) -> list[dict[str, Any]]:
    """Return a node a joint, with its children, at rest offsets (J, 3) from the parents."""
    nodes: list[dict[str, Any]] = []
    for joint, name in enumerate(skeleton.names):
        node: dict[str, Any] = {"name": name, "translation": offsets[joint].tolist()}
        children = skeleton.children(joint)
        if children:
            node["children"] = children
        nodes.append(node)
    return nodes


def _animation(session: SessionHead, buffer: Buffer, skeleton: Skeleton) -> dict[str, Any]:
    """Describe the pelvis's position, the rotations of the moved joints, and the weights of expressions.

    Space is reserved in the order in which `_columns` fills it.
    """
    times = buffer.reserve_times(session)
    outputs = [(0, "translation", buffer.reserve(session.frames, "VEC3"))]
    outputs += [(j, "rotation", buffer.reserve(session.frames, "VEC4")) for j in moved_joints(skeleton).tolist()]
    if session.face_names is not None:
        outputs.append((len(skeleton), "weights", buffer.reserve(session.frames * len(session.face_names), "SCALAR")))
    return {
        "name": "session",
        "samplers": [{"input": times, "interpolation": "LINEAR", "output": output} for _, _, output in outputs],
        "channels": [
            {"sampler": k, "target": {"node": node, "path": path}} for k, (node, path, _) in enumerate(outputs)
        ],
    }


def _columns(session: SessionHead, skeleton: Skeleton) -> Iterator[tuple[Array, ...]]:
    """Yield blocks of times (B, 1), pelvis (B, 3), quaternions (B, 4) a joint, weights (B, 52)."""
    first = 0
    faces = session.blocks("face_blendshapes") if session.has_face else itertools.repeat(())
    for (pelvis, quaternions), face in zip(motion(session, skeleton), faces, strict=False):
        frames = np.arange(first, first + len(pelvis))
        seconds = (frames / session.mocap_framerate).astype(np.float32)  # players begin at zero
        yield (seconds[:, None], pelvis, *np.moveaxis(quaternions, 1, 0), *face)
        first += len(pelvis)
