"""Poses the skeleton that is drawn: SMPL's joints, the fingers of a run with hands, the eyes of a body with eyes."""

from __future__ import annotations

import numpy as np

from engine.body.kinematics import forward_kinematics
from engine.body.model import Array, BodyModel
from engine.body.skeleton import SMPL
from realtime.kernel.full_pose import full_rotmats
from realtime.kernel.messages import Person
from realtime.outputs.export.motion import EYES, with_eyes
from realtime.outputs.finger_bones import SMPL_AND_FINGERS, FingerBones


class DrawnSkeleton:
    """Skeleton of a body file, with the finger bones of a run with hands."""

    def __init__(self, body: BodyModel, fingers: FingerBones | None) -> None:
        """Store the body with all joints of its file, and the finger bones; None: hands are not looked for."""
        self.joints = SMPL if fingers is None else SMPL_AND_FINGERS
        has_eyes = EYES[0] in body.skeleton.names
        self._all = with_eyes(self.joints) if has_eyes else self.joints
        self._eyes = body.skeleton.indices(EYES) if has_eyes else None
        self._body, self._core, self._fingers = body, body.core, fingers

    def posed(self, person: Person) -> tuple[Array, Array | None]:
        """Return the joints (J, 3) in the world, and where the eyes are and look: (2, 2, 3), unit vectors second.

        Eyes are None for a body without, or a person whose face is not looked for.
        """
        pose = person.pose
        looks = person.face is not None and self._eyes is not None
        if self.joints is SMPL and not looks:
            return pose.joints, None
        rest = [self._core.rest_joints(person.betas[None])[0]]
        if self._fingers is not None:
            rest.append(self._fingers.rest_joints(person.betas))
        if self._eyes is not None:
            rest.append(self._body.rest_joints(person.betas[None])[0, self._eyes])
        rotmats = full_rotmats(self._all, pose.rotations, person.hands, person.face)
        turned, joints = forward_kinematics(rotmats[None], person.scale * np.concatenate(rest), self._all)
        joints = (joints[0] + pose.trans).astype(np.float32)
        joints[: len(SMPL)] = pose.joints
        eyes = np.stack([joints[len(self.joints) :], turned[0, len(self.joints) :, :, 2]], axis=1) if looks else None
        return joints[: len(self.joints)], eyes
