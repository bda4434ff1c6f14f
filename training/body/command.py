"""Make the free bodies that ship with the project: MakeHuman's shapes, through the anny package, in SMPL's format.

    python -m training.body [--out assets/body_open.npz] [--out-hands assets/body_open_hands.npz]

The second has fingers, jaw, eyes and expressions. Runs in an environment of its own (requirements-body.txt), for
minutes the first time: anny prepares a cache, in ANNY_CACHE_DIR or the user's cache folder. Nothing is downloaded. The
same command gives the same bodies again.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray
from tqdm import tqdm

from engine.body.keypoints import BLAZEPOSE
from engine.body.mesh import limited_weights
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS, PARENTS
from engine.errors import UserError
from engine.flags import command_line
from training.body.anny_hands import sample_full
from training.body.anny_landmarks import place_landmarks
from training.body.anny_rig import ShapeSample, sample_shapes
from training.body.anny_tpose import skin, t_pose
from training.body.full_body import build_full_body
from training.body.shape_space import ShapeSpace, joint_regressor, shape_space

Array = NDArray[np.float64]


def build_body(sample: ShapeSample, face_count: int) -> tuple[dict[str, NDArray], ShapeSpace, Array]:
    """Build the arrays of the body file (listed in docs/body.md); also return its shape space and origin (3,)."""
    points, joints = _t_posed(sample)
    landmarks = place_landmarks(points[0], sample.weights, sample.markers)

    base = points[0, : sample.vertex_count]
    corners, shares, faces = decimate(base, sample.faces, face_count)
    vertices = np.einsum("nvkc,vk->nvc", points[:, corners], shares)
    weights = limited_weights(np.einsum("vkj,vk->vj", sample.weights[corners], shares))

    space = shape_space(vertices[1:])
    regressor = joint_regressor(vertices[1:], joints[1:])
    regressed = np.einsum("jv,nvc->njc", regressor, vertices[1:])
    landmark_rest, landmark_shapedirs = space.offsets_of(landmarks.positions(points[1:], regressed))
    origin = regressor[0] @ space.mean
    v_template = space.mean - origin
    on_skin = np.array([name for name, row in zip(BLAZEPOSE.names, landmarks.rows, strict=True) if row >= 0])
    nearest = [
        np.linalg.norm(v_template - (landmark_rest[BLAZEPOSE.index(name)] - origin), axis=1).argmin()
        for name in on_skin
    ]
    arrays = {
        "name": np.array("open"),
        "licence": np.array("CC0-1.0"),
        "v_template": v_template.astype(np.float32),
        "shapedirs": space.components.astype(np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": weights.astype(np.float32),
        "kintree_table": np.stack([PARENTS, np.arange(NUM_JOINTS)]).astype(np.int64),
        "f": faces.astype(np.uint32),
        "joint_names": np.array(JOINT_NAMES),
        "vertex_names": on_skin,
        "vertex_indices": np.array(nearest, dtype=np.int64),
        "landmark_rest": (landmark_rest - origin).astype(np.float32),
        "landmark_shapedirs": landmark_shapedirs.astype(np.float32),
        "landmark_weights": landmarks.weights.astype(np.float32),
    }
    return arrays, space, origin


def decimate(vertices: Array, faces: NDArray[np.int64], face_count: int) -> tuple[NDArray, Array, NDArray]:
    """Reduce the faces by quadric edge collapse (Garland and Heckbert 1997), with the new vertices' old positions.

    Returns corners (V', 3) into the old vertices, their barycentric shares (V', 3), and faces (F', 3).
    """
    import fast_simplification
    import trimesh

    reduced, new_faces = fast_simplification.simplify(
        vertices.astype(np.float32), faces.astype(np.int32), target_count=face_count, agg=3
    )
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    faces_of_vertex = mesh.vertex_faces
    corners = np.empty((len(reduced), 3), dtype=np.int64)
    shares = np.empty((len(reduced), 3))
    for row, point in enumerate(tqdm(reduced.astype(np.float64), desc="decimation", unit="vertex")):
        near = np.argpartition(((vertices - point) ** 2).sum(axis=1), 3)[:3]
        around = np.unique(faces_of_vertex[near])
        triangles = vertices[faces[around[around >= 0]]]
        closest = trimesh.triangles.closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
        best = int(((closest - point) ** 2).sum(axis=1).argmin())
        corners[row] = faces[around[around >= 0][best]]
        shares[row] = trimesh.triangles.points_to_barycentric(triangles[best][None], closest[best][None])[0]
    shares = np.clip(shares, 0.0, 1.0)
    return corners, shares / shares.sum(axis=1, keepdims=True), _outward(vertices, corners, shares, new_faces)


def _outward(vertices: Array, corners: NDArray, shares: Array, faces: NDArray) -> NDArray:
    """Orient the faces counter-clockwise seen from outside."""
    reduced = np.einsum("vkc,vk->vc", vertices[corners], shares)
    a, b, c = (reduced[faces[:, corner]] for corner in range(3))
    volume = np.einsum("fc,fc->", a, np.cross(b, c)) / 6.0
    return faces if volume > 0.0 else faces[:, ::-1]


def _t_posed(sample: ShapeSample) -> tuple[Array, Array]:
    """Return points (N, P, 3) and joints (N, 24, 3) of every sampled body in the T-pose."""
    points, joints = np.empty_like(sample.points), np.empty_like(sample.joints)
    for row in tqdm(range(len(points)), desc="T-pose", unit="body"):
        rotations, joints[row] = t_pose(sample.joints[row], sample.palm_line[row])
        points[row] = skin(sample.points[row], sample.weights, rotations, sample.joints[row], joints[row])
    return points, joints


@command_line("training.body")
def main(
    *,
    out: Path = Path("assets/body_open.npz"),
    out_hands: Path = Path("assets/body_open_hands.npz"),
    samples: Annotated[int, Parameter(metavar="N", help="bodies that the shape space is learnt from")] = 300,
    faces: int = 13_700,
    seed: int = 0,
    core: Annotated[
        Path | None, Parameter(metavar="NPZ", help="24-joint body whose joints the second has (default: the first)")
    ] = None,
) -> int:
    """Make the free bodies again."""
    if importlib.util.find_spec("anny") is None:
        raise UserError("anny is not installed; in an environment of its own: pip install -r requirements-body.txt")

    sample = sample_shapes(samples, seed)
    body, space, origin = build_body(sample, faces)
    _write(out, body)
    if core is not None:
        with np.load(core, allow_pickle=False) as shipped:
            body = {key: shipped[key] for key in shipped.files}
    _write(out_hands, build_full_body(body, space, origin, sample, sample_full(samples, seed)))
    return 0


def _write(path: Path, body: dict[str, NDArray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **body)
    height_m = np.ptp(body["v_template"][:, 1])
    print(
        f"{path}: {len(body['v_template'])} vertices, {len(body['f'])} faces, {height_m:.3f} m tall, "
        f"{path.stat().st_size / 1e6:.2f} MB"
    )
