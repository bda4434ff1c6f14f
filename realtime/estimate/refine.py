"""Refines a predicted body by one damped Gauss-Newton step towards the visible 2D landmarks.

The network predicts a likely pose that need not fit the pixels exactly. This step changes the pose a little so that it
does. Depth stays near the network's, because a single camera does not measure it, and every joint rotation has a cost.
One step suffices; three are no better. If the view is known to be far from level, the depth of the whole body is
uncertain, and the image's perspective determines its tilt.

Unknowns, 69 a body: the camera's scale and shift (k, tx, ty), and for each of joints 0..21 a rotation vector in ray
axes (22 x 3). It rotates the joint's whole subtree about the joint. The camera's perspective q is fixed, because it is
hardly observable. Points and camera are in the network's ray axes and units; see `engine.landmarks.network.project`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.body.keypoints import BLAZEPOSE
from engine.body.kinematics import forward_kinematics, skinning_transforms
from engine.body.model import BodyModel
from engine.body.rotations import rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES, PARENTS
from realtime.kernel.seen import PULLS

Array = NDArray[np.float32]

NUM_TURNS = 22  # the root and the body's joints; the hands' landmarks are too inaccurate
NUM_UNKNOWNS = 3 * NUM_TURNS + 3

# Standard deviations of the terms, and the landmarks' weights relative to the twelve on limb joints.
LANDMARK_SIGMA_M = 0.02
DEPTH_SIGMA_M = 0.10  # the root mean square error of the network's depth
CAMERA_SIGMA = 0.2
OTHER_LANDMARKS = {
    "left_heel": 0.5, "right_heel": 0.5, "left_foot_index": 0.5, "right_foot_index": 0.5,
    "left_index": 0.4, "right_index": 0.4, "nose": 0.5,
}  # fmt: skip
TURN_SIGMA_RAD = {
    "pelvis": 0.10, "spine1": 0.05, "spine2": 0.05, "spine3": 0.05, "collar": 0.05, "neck": 0.10, "head": 0.10,
    "hip": 0.22, "knee": 0.22, "shoulder": 0.22, "elbow": 0.22, "ankle": 0.15, "wrist": 0.15, "foot": 0.12,
}  # fmt: skip

# The network's tilt error as a share of the view's pitch, root mean square: of four views from 12 to 21 degrees above
# and one from 38. It predicts people upright in the image, as the detector does.
TILT_SHARE = 0.6
ROBUST_AT_SIGMAS = 4.0  # residuals beyond this many sigmas lose weight


class Linearised(NamedTuple):
    """Landmarks of B bodies linearised in the unknowns; L landmarks are used."""

    image: Array  # (B, L, 2) normalised 2D
    jacobian: Array  # (B, L, 3, 69) of the image's x and y, and of the depth in metres


class Refiner:
    """Refiner with the body's constants. Stateless between calls; about 0.3 ms for two bodies on one core."""

    def __init__(self, body: BodyModel) -> None:
        others = BLAZEPOSE.indices(OTHER_LANDMARKS)
        limbs = BLAZEPOSE.on_joints
        self.landmarks = np.concatenate((limbs, others))  # (L,) indices of the landmarks that are followed
        self._weights = np.concatenate((np.ones(len(limbs)), list(OTHER_LANDMARKS.values()))).astype(np.float32)
        self._body = body
        self._rest = body.landmark_rest[self.landmarks]
        self._shapedirs = body.landmark_shapedirs[self.landmarks].reshape(-1, body.landmark_shapedirs.shape[-1])
        # The share of each landmark in each joint's subtree, by bone: (L * 22, 24), and in sum: (L, 22, 1).
        carried = body.landmark_weights[self.landmarks][:, None, :] * body.skeleton.subtrees[:NUM_TURNS]
        self._carried = carried.reshape(-1, carried.shape[-1])
        self._share = carried.sum(-1)[..., None]
        sigma = np.array([_turn_sigma(name) for name in JOINT_NAMES[:NUM_TURNS]], np.float32)
        self._prior = np.concatenate((sigma.repeat(3), np.full(3, CAMERA_SIGMA, np.float32))) ** -2  # its diagonal

    def refine(
        self,
        rotmats: Array,
        betas: Array,
        camera: Array,
        image: Array,
        visibility: Array,
        up: Array | None = None,
    ) -> tuple[Array, Array]:
        """Take one step for B bodies.

        rotmats (B, 24, 3, 3) local, the root in ray axes; betas (B, 10); camera (B, 4) = k, tx, ty, q; image (B, 33, 2)
        visible landmarks, normalised; visibility (B, 33) in 0..1. up (B, 3): the unit vector against gravity in ray
        axes, shorter if it is uncertain, zeros or None if unknown. Returns refined rotmats and camera.
        """
        world, joints, rest = self._pose(rotmats, betas)
        here = self._linearise(world, joints, rest, betas, camera)
        batch, turns, jacobian, prior = len(rotmats), 3 * NUM_TURNS, here.jacobian, self._prior
        residual = np.zeros((*jacobian.shape[:3], 1), np.float32)  # zero for depths, which stay near the network's
        off = residual[..., :2, 0]
        np.subtract(image[:, self.landmarks], here.image, out=off)
        sigma = LANDMARK_SIGMA_M * camera[:, :1]
        by_landmark = self._weights * _pull(visibility[:, self.landmarks]) / sigma**2
        by_landmark /= 1 + np.vecdot(off, off) / (ROBUST_AT_SIGMAS * sigma) ** 2  # Cauchy
        weights = np.full((*jacobian.shape[:3], 1), DEPTH_SIGMA_M**-2, np.float32)
        weights[..., :2, 0] = by_landmark[..., None]
        if up is not None:
            prior = self._doubt_tilt(jacobian, up)

        rows = jacobian.reshape(batch, -1, NUM_UNKNOWNS)
        weighted = (rows * weights.reshape(batch, -1, 1)).swapaxes(1, 2)
        normal = weighted @ rows
        normal.reshape(batch, -1)[:, :: NUM_UNKNOWNS + 1] += prior
        step = np.linalg.solve(normal, weighted @ residual.reshape(batch, -1, 1))[..., 0]

        moved = rotmats.copy()
        turn = step[:, :turns].reshape(batch, NUM_TURNS, 3)
        parent = world[:, PARENTS[1:NUM_TURNS]]  # rotation vectors are in ray axes, rotations in the parent's
        turn[:, 1:] = (parent.swapaxes(-1, -2) @ turn[:, 1:, :, None])[..., 0]
        moved[:, :NUM_TURNS] = rotmat_from_axis_angle(turn) @ rotmats[:, :NUM_TURNS]
        nearer = camera.copy()
        nearer[:, :3] += step[:, turns:]
        return moved, nearer

    def _doubt_tilt(self, jacobian: Array, up: Array) -> Array:
        """Return the prior of bodies whose tilt error is a share of the pitch, and weaken their depths, in place.

        A common rotation error of all depths about the image's horizontal axis weakens the network's evidence on that
        rotation. Its variance adds to that from the depths.
        """
        error_rad = TILT_SHARE * np.arcsin(np.abs(up[:, 2]).clip(0, 1))
        by_depth = jacobian[:, :, 2, 0]
        evidence = np.vecdot(by_depth, by_depth) / DEPTH_SIGMA_M**2  # (B,) inverse variance
        by_depth /= np.sqrt(1 + error_rad**2 * evidence)[:, None]
        prior = np.repeat(self._prior[None], len(up), 0)
        prior[:, 0] = 1 / (1 / self._prior[0] + error_rad**2)
        return prior

    def linearise(self, rotmats: Array, betas: Array, camera: Array) -> Linearised:
        """Compute the used landmarks' image positions and derivatives at zero rotation; shapes as in `refine`."""
        world, joints, rest = self._pose(rotmats, betas)
        return self._linearise(world, joints, rest, betas, camera)

    def _pose(self, rotmats: Array, betas: Array) -> tuple[Array, Array, Array]:
        rest = self._body.rest_joints(betas)
        world, joints = forward_kinematics(rotmats, rest)
        return world, joints, rest

    def _linearise(self, world: Array, joints: Array, rest: Array, betas: Array, camera: Array) -> Linearised:
        batch, count = len(world), len(self.landmarks)
        points = self._rest + (betas @ self._shapedirs.T).reshape(batch, count, 3)
        transforms = skinning_transforms(world, joints, rest).reshape(batch, -1, 12)

        # Rotating joint i by w moves a landmark's share c in its subtree, relative to the joint: w x c.
        blended = (self._carried @ transforms).reshape(batch, count, 3 * NUM_TURNS, 4)
        arms = (blended[..., :3] @ points[..., None])[..., 0] + blended[..., 3]
        arms = arms.reshape(batch, count, NUM_TURNS, 3)
        placed = arms[:, :, 0].copy()  # the root carries all of every landmark
        arms -= self._share * joints[:, None, :NUM_TURNS]
        x, y, z = np.moveaxis(arms, -1, 0)
        scale, shift, perspective = camera[:, :1], camera[:, None, 1:3], camera[:, 3:].clip(0, 0.9)
        depth = (1 + perspective * placed[..., 2]).clip(0.2, None)
        flat = placed[..., :2] / depth[..., None]

        jacobian = np.zeros((batch, count, 3, NUM_UNKNOWNS), np.float32)
        by_turn = jacobian[..., : 3 * NUM_TURNS].reshape(batch, count, 3, NUM_TURNS, 3)
        in_image, in_depth = by_turn[:, :, :2], by_turn[:, :, 2]
        in_depth[..., 0], in_depth[..., 1] = y, -x
        np.multiply((perspective[..., None] * -flat)[..., None, None], in_depth[:, :, None], out=in_image)
        in_image[:, :, 0, :, 1] += z
        in_image[:, :, 0, :, 2] -= y
        in_image[:, :, 1, :, 0] -= z
        in_image[:, :, 1, :, 2] += x
        in_image *= (scale / depth)[..., None, None, None]
        jacobian[:, :, :2, -3] = flat
        jacobian[:, :, 0, -2] = jacobian[:, :, 1, -1] = 1
        return Linearised(scale[..., None] * flat + shift, jacobian)


def _pull(visibility: Array) -> Array:
    """Return a landmark's weight by its visibility: zero for hidden ones, which are hallucinated."""
    return PULLS(visibility) ** 2


def _turn_sigma(joint: str) -> float:
    return TURN_SIGMA_RAD[joint.removeprefix("left_").removeprefix("right_")]
