"""Loads a body file: the two that ship, or the user's SMPL, SMPL-H or SMPL-X model as .pkl or .npz."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.body.expressions import BLENDSHAPES
from engine.body.keypoints import BLAZEPOSE
from engine.body.landmark_points import transferred_landmarks
from engine.body.model import BodyModel, ShapeSpace
from engine.body.skeleton import SKELETONS, SMPL, SMPLH, SMPLX
from engine.errors import UserError
from engine.files.npz_file import NpzError, NpzFile
from engine.files.smpl_pickle import dense, load_pickle
from engine.files.unpickle import UnpickleError
from engine.shipped import ASSETS, ShippedFileError, checked

OPEN_BODY = ASSETS / "body_open.npz"  # the free body that ships with the project
OPEN_HANDS_BODY = ASSETS / "body_open_hands.npz"  # the same with fingers, jaw, eyes and expressions
FREE_BODIES = {"open": OPEN_BODY, "open-hands": OPEN_HANDS_BODY}  # by their names, which --body takes
NUM_BETAS = 10

_REQUIRED = ("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")
_LANDMARK_KEYS = ("landmark_rest", "landmark_shapedirs", "landmark_weights")
_EXPRESSION_KEYS = ("expression_names", "expression_dirs")
_KNOWN = (*_REQUIRED, "posedirs", "name", *_LANDMARK_KEYS, *_EXPRESSION_KEYS)
_STAR_POSE_FEATURES = 93
_FEWEST_VERTICES = 100
_LONGEST_NAME = 64  # maximum length in sessions
_LARGEST = 10.0  # limit of any number: metres, or shares of one
_MOST_BYTES, _MOST_TIMES = 1 << 26, 20  # decompressed size of an archive: the first, or the second times its size
# Models of a body, and relatives without one, by the number of their joints.
_MODELS: dict[int, ShapeSpace] = {len(SMPL): "SMPL", len(SMPLH): "SMPL-H", len(SMPLX): "SMPL-X"}
_PARTS = {16: "MANO (a hand)", 5: "FLAME (a head)"}
_WANTED = "give an SMPL, SMPL-H or SMPL-X model (SMPL_NEUTRAL.pkl, SMPLH_MALE.pkl, SMPLX_NEUTRAL.npz), or 'open'"


class BodyFileError(UserError):
    """Body file that cannot be used; one line with the reason and the remedy."""


def load_body(spec: str | Path) -> BodyModel:
    """Load the body named by `spec`: 'open' or 'open-hands', the free ones that ship, or the path of a user's file.

    A user's file is an SMPL pickle (v1.0.0, v1.1.0, with or without chumpy's objects), read without running it, or
    SMPL-H's or SMPL-X's. It may also be an .npz with the same keys (Loper et al. 2015; docs/body.md). The number of
    its joints gives the skeleton. Shape components after the tenth, expressions among them, are dropped. A file
    without landmarks gets them from the shipped body. Raises BodyFileError.
    """
    path = FREE_BODIES.get(str(spec), Path(spec))
    try:
        data = checked(path).read_bytes()
    except ShippedFileError as error:
        raise BodyFileError(str(error)) from error
    except FileNotFoundError as error:
        raise BodyFileError(f"there is no body file {path}; {_WANTED}") from error
    except OSError as error:
        raise BodyFileError(f"cannot read the body file {path}: {error.strerror}") from error
    arrays = _checked(path, _read(path, data))
    regressor, name = arrays["J_regressor"], str(arrays.get("name", path.stem))
    body: dict[str, Any] = {
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "v_template": arrays["v_template"],
        "shapedirs": arrays["shapedirs"],
        "joint_regressor": regressor,
        "joints_template": regressor @ arrays["v_template"],
        "joint_shapedirs": np.einsum("jv,vck->jck", regressor, arrays["shapedirs"]),
        "weights": arrays["weights"],
        "faces": arrays["f"],
        "posedirs": arrays.get("posedirs"),
        "expression_names": tuple(arrays.get("expression_names", np.empty(0, str)).tolist()),
        "expression_dirs": arrays.get("expression_dirs"),
        "skeleton": SKELETONS[len(regressor)],
        "shape_space": "open" if name in FREE_BODIES else _MODELS[len(regressor)],
    }
    if _LANDMARK_KEYS[0] in arrays:
        body |= {key: arrays[key] for key in _LANDMARK_KEYS}
    else:
        body |= transferred_landmarks(load_body("open"), body)
    return BodyModel(**body)


def _read(path: Path, data: bytes) -> dict[str, Any]:
    """Read the file's keys and values; its first bytes, not its name, determine the format."""
    if not data:
        raise BodyFileError(f"the body file {path} is empty; copy it again")
    if data.startswith(b"PK"):
        return _read_npz(path, data)
    if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf")):
        raise BodyFileError(f"{path} is a compressed archive; unpack it and give the .pkl that it holds")
    if data.lstrip()[:1] == b"<":
        raise BodyFileError(f"{path} is a web page, not a body; log in to SMPL's site and download the model again")
    try:
        content = load_pickle(data)
    except UnpickleError as error:
        raise BodyFileError(f"{path} is not a body that can be read: {error}; {_WANTED}") from error
    if not isinstance(content, dict):
        raise BodyFileError(f"{path} holds a {type(content).__name__}, not a body; {_WANTED}")
    return content


def _read_npz(path: Path, data: bytes) -> dict[str, Any]:
    try:
        with NpzFile(io.BytesIO(data)) as archive:
            sizes = archive.unpacked_bytes
            models = [name for name in sizes if name.endswith(".pkl")]
            if models:
                raise BodyFileError(f"{path} is a zip archive; unpack it and give its {Path(models[0]).name}")
            if sum(sizes[name] for name in sizes if name in _KNOWN) > _MOST_BYTES + _MOST_TIMES * len(data):
                raise BodyFileError(f"{path} unpacks to far more than a body has; {_WANTED}")
            # Other keys stay unread: they may be pickled.
            return {name: archive.read(name) if name in _KNOWN else None for name in sizes}
    except NpzError as error:
        raise BodyFileError(f"{path} is damaged or holds pickled objects ({error}); copy it again") from error


def _checked(path: Path, content: dict[str, Any]) -> dict[str, NDArray]:
    """Return the known keys as arrays of the right types and shapes, with ten shape components."""
    missing = [key for key in _REQUIRED if key not in content]
    if missing and "poses" in content:
        raise BodyFileError(f"{path} is a recorded motion, not a body; {_WANTED}")
    if missing:
        raise BodyFileError(f"{path} lacks the keys {', '.join(missing)}, so it is no SMPL model; {_WANTED}")
    arrays = {key: _as_array(path, key, content[key]) for key in _KNOWN if key in content}

    flat = [key for key in _REQUIRED if arrays[key].ndim < 2]
    if flat:
        raise BodyFileError(
            f"{path}: {flat[0]} has the shape {arrays[flat[0]].shape}, which no SMPL model has; {_WANTED}"
        )
    weights = arrays["weights"]
    joint_count = weights.shape[-1]
    model = _MODELS.get(joint_count)
    if model is None:
        seems = _PARTS.get(joint_count, "some other model")
        raise BodyFileError(
            f"{path} has {joint_count} joints: it seems to be {seems}, not a body with 24, 52 or 55; {_WANTED}"
        )
    vertex_count = len(weights)
    if arrays.get("posedirs", np.empty(0)).shape[-1:] == (_STAR_POSE_FEATURES,):
        raise BodyFileError(f"{path} seems to be STAR, whose pose blend shapes are of another kind; {_WANTED}")
    if arrays["shapedirs"].ndim == 3:
        arrays["shapedirs"] = np.ascontiguousarray(arrays["shapedirs"][..., :NUM_BETAS])
    expressions = arrays.get("expression_names", np.empty(0))
    shapes = {
        "expression_names": (expressions.size,),
        "expression_dirs": (vertex_count, 3, expressions.size),
        "v_template": (vertex_count, 3),
        "shapedirs": (vertex_count, 3, NUM_BETAS),
        "J_regressor": (joint_count, vertex_count),
        "weights": (vertex_count, joint_count),
        "kintree_table": (2, joint_count),
        "f": (len(arrays["f"]), 3),
        "posedirs": (vertex_count, 3, 9 * (joint_count - 1)),
        "landmark_rest": (len(BLAZEPOSE), 3),
        "landmark_shapedirs": (len(BLAZEPOSE), 3, NUM_BETAS),
        "landmark_weights": (len(BLAZEPOSE), joint_count),
    }
    for key, array in arrays.items():
        if key != "name" and array.shape != shapes[key]:
            raise BodyFileError(
                f"{path}: {key} has the shape {array.shape}, an {model} model has {shapes[key]}; {_WANTED}"
            )
        if array.dtype == np.float32 and not np.isfinite(array).all():
            raise BodyFileError(f"{path}: {key} holds numbers that are not finite; copy the file again")
        if array.dtype == np.float32 and array.size and np.abs(array).max() > _LARGEST:
            raise BodyFileError(f"{path}: {key} holds numbers above {_LARGEST:g}; it must be in metres, or is damaged")

    if vertex_count < _FEWEST_VERTICES:
        raise BodyFileError(f"{path} has {vertex_count} vertices, too few for a body; {_WANTED}")
    for keys in (_LANDMARK_KEYS, _EXPRESSION_KEYS):
        lacking = [key for key in keys if key not in arrays]
        if 0 < len(lacking) < len(keys):
            raise BodyFileError(f"{path} lacks the key {lacking[0]}; give all of {', '.join(keys)} or none")
    if unknown := set(expressions.tolist()) - set(BLENDSHAPES):
        raise BodyFileError(f"{path}: expression_names has {min(unknown)}, which is none of ARKit's 52 names")
    if not np.array_equal(arrays["kintree_table"][0, 1:], SKELETONS[joint_count].parents[1:]):
        raise BodyFileError(f"{path}: kintree_table joins the joints in another order than {model}'s; {_WANTED}")
    if not (arrays["f"] < vertex_count).all():
        raise BodyFileError(f"{path}: f names a vertex past the last one, {vertex_count - 1}; copy the file again")
    if not np.allclose(weights.sum(axis=1), 1.0, atol=1e-3):
        raise BodyFileError(f"{path}: the skinning weights of some vertices do not sum to 1; copy the file again")
    height_m = float(np.ptp(arrays["v_template"][:, 1]))
    if not 0.4 < height_m < 3.0:
        raise BodyFileError(f"{path}: the body is {height_m:.4g} tall along y; it must be in metres with Y up")
    return arrays


def _as_array(path: Path, key: str, value: Any) -> NDArray:
    """Convert one key's value: float32, integers for faces and the joint tree, text for names."""
    if key == "name":
        said = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
        if not isinstance(said, str):
            raise BodyFileError(f"{path}: its name is no text; {_WANTED}")
        return np.asarray(said[:_LONGEST_NAME])
    if key == "expression_names":
        if not isinstance(value, np.ndarray) or value.dtype.kind != "U":
            raise BodyFileError(f"{path}: its expression_names are no text; {_WANTED}")
        return value
    kind = {"f": np.uint32, "kintree_table": np.int64}.get(key, np.float32)
    try:
        with np.errstate(all="ignore"):  # later checks report values out of range
            return np.ascontiguousarray(dense(value)).astype(kind)
    except UnpickleError as error:
        raise BodyFileError(f"{path}: {key} cannot be read as an array ({error}); {_WANTED}") from error
