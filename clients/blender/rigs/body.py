"""Loads a body in SMPL's, SMPL-H's or SMPL-X's format: the bundled free one, or the user's .npz. Without bpy."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..joints import ALL_NAMES, BLENDSHAPES, EYE_NAMES, FINGER_NAMES, JOINT_NAMES, NUM_JOINTS
from ..protocol import NUM_BETAS, Skeleton

Array = NDArray[np.float64]

_BUNDLED = {"open-hands": "body_open_hands.npz"}  # by the name in the stream; others have "body_open.npz"
_KEYS = ("v_template", "shapedirs", "J_regressor", "weights", "f")
_SAME_JOINT_M = 1e-3
_BODY = JOINT_NAMES[:22]  # of all formats; then SMPL has two hand joints
_LAYOUTS = {
    len(names): names
    for names in (
        JOINT_NAMES,
        (*_BODY, *FINGER_NAMES),
        (*_BODY, "jaw", *EYE_NAMES, *FINGER_NAMES),
    )
}
_HAND_AT = {"left_hand": "left_middle1", "right_hand": "right_middle1"}  # in bodies that have fingers in its place


class BodyError(ValueError):
    """Body file that cannot be used; one line with the remedy."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """T-pose that faces +Z with Y up, in metres. J joints: SMPL's 24, 54 with the fingers, or 56 with eyes too."""

    vertices: Array  # (V, 3)
    vertex_shapes: Array  # (V, 3, 10)
    joints: Array  # (J, 3) for the average shape
    joint_shapes: Array  # (J, 3, 10)
    weights: Array  # (V, J)
    faces: NDArray[np.int64]  # (F, 3)
    expressions: dict[str, Array] = field(
        default_factory=dict
    )  # ARKit's name -> displacements (V, 3) of the whole of it

    def rest_vertices(self, betas: Array, scale: float = 1.0) -> Array:
        """Return vertices (V, 3) for a shape (10,) and a person's size relative to the body's."""
        return scale * (self.vertices + self.vertex_shapes @ betas)

    def rest_joints(self, betas: Array, scale: float = 1.0) -> Array:
        """Return joints (J, 3) for a shape (10,) and a person's size relative to the body's."""
        return scale * (self.joints + self.joint_shapes @ betas)

    def fitted(self, skeleton: Skeleton) -> Body:
        """Return the body scaled as in the stream. Raises BodyError if it is another body.

        The program may have scaled it to a stature. It then removed from each shape component S_k the growth g_k v of
        the template v. Scale and g_k are solved from the stream's joints.
        """
        ours, theirs = (self.joints - self.joints[0])[:NUM_JOINTS], skeleton.joints - skeleton.joints[0]
        scale = float((ours * theirs).sum() / (ours * ours).sum())
        if np.abs(ours * scale - theirs).max() > _SAME_JOINT_M:
            raise BodyError(
                f"the stream's body '{skeleton.body_name}' is not the file's: choose the .npz of the body that the "
                "program was started with"
            )
        taken = scale * self.joint_shapes[:NUM_JOINTS] - skeleton.joint_shapes
        growth = np.einsum("jck,jc->k", taken, skeleton.joints) / (skeleton.joints**2).sum()

        def shapes(points: Array, directions: Array) -> Array:
            return scale * (directions - points[..., None] * growth)

        others, other_shapes = self.joints[NUM_JOINTS:], self.joint_shapes[NUM_JOINTS:]
        return replace(
            self,
            vertices=scale * self.vertices,
            vertex_shapes=shapes(self.vertices, self.vertex_shapes),
            joints=np.concatenate([skeleton.joints, scale * others]),
            joint_shapes=np.concatenate([skeleton.joint_shapes, shapes(others, other_shapes)]),
            expressions={name: scale * moved for name, moved in self.expressions.items()},
        )


def bundled(stream_body: str) -> Path:
    """Return the free body's file for a stream's body: with fingers, eyes and expressions where that has them."""
    return Path(__file__).parents[1] / _BUNDLED.get(stream_body, "body_open.npz")


def load_body(path: Path) -> Body:
    """Read an .npz with SMPL's keys, without unpickling. Raises BodyError."""
    try:
        data = path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            missing = [key for key in _KEYS if key not in archive.files]
            if missing:
                raise BodyError(f"the body file {path} lacks {', '.join(missing)}: give an SMPL body as .npz")
            template, shapes, regressor, weights, faces = (archive[key] for key in _KEYS)
            expressions = _expressions(path, archive, len(template))
    except OSError as error:
        raise BodyError(f"cannot read the body file {path}: {error.strerror or error}") from error
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, BodyError):
            raise
        raise BodyError(f"{path} is no .npz of plain arrays: save the body's arrays with numpy.savez") from error
    count, shapes = len(template), shapes[..., :NUM_BETAS]
    names = _LAYOUTS.get(len(regressor), JOINT_NAMES)
    expected = ((count, 3), (count, 3, NUM_BETAS), (len(names), count), (count, len(names)), (len(faces), 3))
    for key, array, shape in zip(_KEYS, (template, shapes, regressor, weights, faces), expected, strict=True):
        if array.shape != shape or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
            raise BodyError(f"the body file {path}: '{key}' is not {shape} finite numbers, so it is no SMPL body")
    if faces.min() < 0 or faces.max() >= count:
        raise BodyError(f"the body file {path}: 'f' names vertices that are not there")
    template, shapes, regressor = (np.asarray(array, np.float64) for array in (template, shapes, regressor))
    regressor = regressor[_places(names)]
    return Body(
        vertices=template,
        vertex_shapes=shapes,
        joints=regressor @ template,
        joint_shapes=np.einsum("jv,vck->jck", regressor, shapes),
        weights=_weights(np.asarray(weights, np.float64), names),
        faces=np.asarray(faces, np.int64),
        expressions=expressions,
    )


def _places(names: tuple[str, ...]) -> list[int]:
    """Return the places among a file's joints of SMPL's, and of the fingers and eyes that it has."""
    wanted = [name for name in ALL_NAMES if name in JOINT_NAMES or name in names]
    return [names.index(name if name in names else _HAND_AT[name]) for name in wanted]


def _weights(weights: Array, names: tuple[str, ...]) -> Array:
    """Bring a file's weights (V, ...) into the order of our joints (V, J); the jaw moves with the head."""
    ours = np.zeros((len(weights), len(_places(names))))
    for place, name in enumerate(names):
        ours[:, ALL_NAMES.index("head" if name == "jaw" else name)] += weights[:, place]
    return ours


def _expressions(path: Path, archive: Mapping[str, NDArray], count: int) -> dict[str, Array]:
    if "expression_names" not in archive or "expression_dirs" not in archive:
        return {}
    names, moved = archive["expression_names"], archive["expression_dirs"]
    if moved.shape != (count, 3, names.size) or moved.dtype.kind != "f" or not np.isfinite(moved).all():
        raise BodyError(f"the body file {path}: 'expression_dirs' does not fit its names and vertices")
    return {name: moved[..., k].astype(np.float64) for k, name in enumerate(names.tolist()) if name in BLENDSHAPES}
