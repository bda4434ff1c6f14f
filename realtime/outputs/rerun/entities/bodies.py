"""Logs people in the world: mesh, joints with the bones between them, contacts of the feet, expression and gaze."""

from __future__ import annotations

import numpy as np
import rerun as rr

from engine.body.mesh import VertexNormals
from engine.body.model import Array, BodyModel
from engine.body.skeleton import SMPL
from engine.body.skinning import Skinner
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Person
from realtime.outputs.finger_bones import FingerBones
from realtime.outputs.rerun.entities.canvas import Canvas
from realtime.outputs.rerun.entities.figure import colour_of, figure
from realtime.outputs.rerun.entities.skeleton import DrawnSkeleton
from realtime.outputs.view.bodies import coarse

_FACES = 5000  # of a mesh: 60 kB a frame with its normals
_FEET = SMPL.indices(("left_ankle", "left_foot", "right_ankle", "right_foot"))  # where contacts are drawn
_JOINT_M, _CONTACT_M, _GAZE_M = 0.012, 0.06, 0.3  # radii, and a length
_OPACITY = 150  # of 255: joints are seen in it
_TOUCHES, _IN_THE_AIR = np.array([76.0, 230.0, 102.0]), np.array([128.0, 128.0, 128.0])


class Bodies:
    """Logger of the people of a run."""

    def __init__(self, canvas: Canvas, body: BodyModel, fingers: FingerBones | None) -> None:
        """Store the body with all joints of its file, and the finger bones; None: hands are not looked for."""
        self._canvas = canvas
        self._skeleton = DrawnSkeleton(body, fingers)
        mesh = coarse(body, _FACES)
        self._faces = mesh.faces
        self._skinner = Skinner(mesh)
        self._normals = VertexNormals(mesh.faces, len(mesh.v_template))
        canvas.once("/world", lambda: rr.ViewCoordinates.RIGHT_HAND_Y_UP)

    def log(self, person: Person) -> None:
        """Log a person at the present time."""
        entity, log = f"/world/people/{person.id}", self._canvas.log
        skeleton = self._skeleton.joints
        bones = zip(skeleton.parents[1:], range(1, len(skeleton)), strict=True)
        self._canvas.once(entity, lambda: figure(skeleton.names, bones, colour_of(person.id)))
        self._canvas.once(f"{entity}/mesh", lambda: rr.Mesh3D.from_fields(triangle_indices=self._faces))
        log(f"{entity}/mesh", self._mesh(person))
        joints, eyes = self._skeleton.posed(person)
        ids = np.arange(len(joints))
        points = rr.Points3D(joints, radii=_JOINT_M, class_ids=0, keypoint_ids=ids, show_labels=False)
        log(f"{entity}/joints", points)
        touches = person.contacts[:, None]
        colours = (touches * _TOUCHES + (1 - touches) * _IN_THE_AIR).astype(np.uint8)
        radii = _CONTACT_M * np.maximum(person.contacts, 0.1)
        log(f"{entity}/contacts", rr.Points3D(person.pose.joints[_FEET], radii=radii, colors=colours))
        if person.face is not None:
            log(f"/face/{person.id}", rr.BarChart(person.face.blendshapes))
        if eyes is not None:
            log(f"{entity}/gaze", rr.Arrows3D(origins=eyes[:, 0], vectors=_GAZE_M * eyes[:, 1], radii=0.003))

    def _mesh(self, person: Person) -> rr.Mesh3D:
        vertices = self._vertices(person)
        return rr.Mesh3D.from_fields(
            vertex_positions=vertices,
            vertex_normals=self._normals(vertices),
            albedo_factor=(*colour_of(person.id, person.valid), _OPACITY),
        )

    def _vertices(self, person: Person) -> Array:
        rotmats = full_rotmats(self._skinner.body.skeleton, person.pose.rotations, person.hands, person.face)
        blendshapes = None if person.face is None else person.face.blendshapes
        return self._skinner.vertices(rotmats, person.betas, person.pose.trans, person.scale, blendshapes)
