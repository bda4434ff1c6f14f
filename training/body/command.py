"""Make the free body that ships with the project: MakeHuman's shapes, through the anny package, in SMPL's format.

    python -m training.body [--out assets/body_open.npz]

Runs in an environment of its own (requirements-body.txt), for minutes the first time: anny prepares a cache, in
ANNY_CACHE_DIR or the user's cache folder. Nothing is downloaded. The same command gives the same body again.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
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
from training.body.anny_landmarks import place_landmarks
from training.body.anny_rig import ShapeSample, sample_shapes
from training.body.anny_tpose import skin, t_pose

Array = NDArray[np.float64]

NUM_BETAS = 10


@dataclass(frozen=True)
class ShapeSpace:
    """Principal components of many bodies (SMPL's shape space, Loper et al. 2015, section 3)."""

    mean: Array  # (V, 3)
    components: Array  # (V, 3, 10), one standard deviation each
    scores: Array  # (N, 10) of the bodies, zero mean and unit variance

    def offsets_of(self, points: Array) -> tuple[Array, Array]:
        """Fit mean (P, 3) and components (P, 3, 10) of other points (N, P, 3) of the same bodies."""
        mean = points.mean(axis=0)
        return mean, np.einsum("npc,nk->pck", points - mean, self.scores) / (len(points) - 1)


def build_body(sample_count: int, face_count: int, seed: int) -> dict[str, NDArray]:
    """Build the arrays of the body file (listed in docs/body.md)."""
    sample = sample_shapes(sample_count, seed)
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
    return {
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


def shape_space(vertices: Array) -> ShapeSpace:
    """Compute the ten principal components of meshes (N, V, 3), each signed so that positive is taller."""
    count = len(vertices)
    mean = vertices.mean(axis=0)
    left, spread, right = np.linalg.svd((vertices - mean).reshape(count, -1), full_matrices=False)
    components = (right[:NUM_BETAS].T * (spread[:NUM_BETAS] / np.sqrt(count - 1))).reshape(*mean.shape, NUM_BETAS)
    scores = left[:, :NUM_BETAS] * np.sqrt(count - 1)
    growth = np.ptp(mean[..., None] + components, axis=0)[1] - np.ptp(mean[:, 1])
    sign = np.where(growth < 0.0, -1.0, 1.0)
    return ShapeSpace(mean, components * sign, scores * sign)


def joint_regressor(vertices: Array, joints: Array, nearby: int = 900, stride: int = 9) -> Array:
    """Fit weights (24, V), rows of sum 1, that compute the joints (N, 24, 3) of meshes (N, V, 3).

    Ridge regression on vertices near each joint, regularised towards their mean, so that no weight is large.
    """
    count = vertices.shape[1]
    regressor = np.zeros((NUM_JOINTS, count))
    template, centres = vertices.mean(axis=0), joints.mean(axis=0)
    for joint in range(NUM_JOINTS):
        near = np.argsort(np.linalg.norm(template - centres[joint], axis=1))[:nearby]
        chosen = near[::stride]
        design = vertices[:, chosen].transpose(0, 2, 1).reshape(-1, len(chosen))
        gram = design.T @ design
        ridge = 1e-4 * np.trace(gram) / len(chosen) + 1e-6
        inverse = np.linalg.inv(gram + ridge * np.eye(len(chosen)))
        free = inverse @ (design.T @ joints[:, joint].reshape(-1) + ridge / len(chosen))
        towards_one = inverse.sum(axis=1)
        regressor[joint, chosen] = free - towards_one * (free.sum() - 1.0) / towards_one.sum()
    return regressor


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
    samples: Annotated[int, Parameter(metavar="N", help="bodies that the shape space is learnt from")] = 300,
    faces: int = 13_700,
    seed: int = 0,
) -> int:
    """Make the free body again."""
    if importlib.util.find_spec("anny") is None:
        raise UserError("anny is not installed; in an environment of its own: pip install -r requirements-body.txt")

    out.parent.mkdir(parents=True, exist_ok=True)
    body = build_body(samples, faces, seed)
    np.savez_compressed(out, allow_pickle=False, **body)
    height_m = np.ptp(body["v_template"][:, 1])
    print(
        f"{out}: {len(body['v_template'])} vertices, {len(body['f'])} faces, {height_m:.3f} m tall, "
        f"{out.stat().st_size / 1e6:.2f} MB"
    )
    return 0
