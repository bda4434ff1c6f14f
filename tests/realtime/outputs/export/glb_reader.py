"""A reader of .glb for tests: evaluates the file as the specification says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
from scipy.spatial.transform import Rotation, Slerp


class GlbReader:
    """Evaluates a .glb as the specification says, from pygltflib's parse of it."""

    _TYPES = {5126: np.float32, 5123: np.uint16, 5125: np.uint32}  # noqa: RUF012
    _SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}  # noqa: RUF012

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        view = self.gltf.bufferViews[accessor.bufferView]
        assert view.byteOffset % 4 == 0
        size = self._SIZES[accessor.type]
        flat = np.frombuffer(self.blob, self._TYPES[accessor.componentType], accessor.count * size, view.byteOffset)
        assert flat.nbytes == view.byteLength
        return flat.reshape(accessor.count, size) if size > 1 else flat

    def world_matrices(self, time_s: float) -> dict[int, np.ndarray]:
        """Of every node, with the animation at `time_s`."""
        local = {}
        for index, node in enumerate(self.gltf.nodes):
            local[index] = {"translation": node.translation or [0, 0, 0], "rotation": node.rotation or [0, 0, 0, 1]}
        animation = self.gltf.animations[0]
        for channel in (each for each in animation.channels if each.target.path != "weights"):
            sampler = animation.samplers[channel.sampler]
            times, values = self.array(sampler.input), self.array(sampler.output)
            at = np.clip(time_s, times[0], times[-1])
            if channel.target.path == "rotation":
                value = Slerp(times, Rotation.from_quat(values))(at).as_quat()
            else:
                value = [np.interp(at, times, column) for column in values.T]
            local[channel.target.node][channel.target.path] = value
        world: dict[int, np.ndarray] = {}

        def visit(index: int, parent: np.ndarray) -> None:
            matrix = np.eye(4)
            matrix[:3, :3] = Rotation.from_quat(local[index]["rotation"]).as_matrix()
            matrix[:3, 3] = local[index]["translation"]
            world[index] = parent @ matrix
            for child in self.gltf.nodes[index].children or []:
                visit(child, world[index])

        for root in self.gltf.scenes[self.gltf.scene].nodes:
            visit(root, np.eye(4))
        return world

    def vertices(self, time_s: float) -> np.ndarray:
        world, skin = self.world_matrices(time_s), self.gltf.skins[0]
        bind = self.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = np.stack([world[node] @ bind[k] for k, node in enumerate(skin.joints)])
        attributes = self.gltf.meshes[0].primitives[0].attributes
        points, joints = self.array(attributes.POSITION), self.array(attributes.JOINTS_0)
        blended = np.einsum("vk,vkij->vij", self.array(attributes.WEIGHTS_0), matrices[joints])
        return np.einsum("vij,vj->vi", blended, np.c_[points, np.ones(len(points))])[:, :3]
