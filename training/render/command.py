"""Pictures of the free body, drawn on the CPU: random pose, shape, camera, light, clothes, background, occluders.

    python -m training.render --mocap FILE [FILE ...] --split train --count 20000 --seed 0 --out DIR

Writes tar files of the 4D-Humans form (training.readers.tars). The same arguments give the same pictures.
"""

from __future__ import annotations

import argparse
import io
import itertools
import pickle
import tarfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.keypoints import BLAZEPOSE
from engine.body.skeleton import JOINT_NAMES, NUM_JOINTS
from engine.body.torch.model import TorchBody
from engine.command import command
from engine.config import load_config
from engine.errors import EngineError
from engine.files.weights import ASSETS
from engine.tokenhmr.crop import ASPECT
from training.data.augment import PoseAugmentation, PoseSampler
from training.data.mocap import load_mocap
from training.readers.sample import KEYPOINT_PLACES, NUM_KEYPOINTS, ON_BODY, Array, Sample

SHARD = 1000  # pictures in a tar file
_NEAR_M = 0.1
_CHUNK = 32  # bodies posed at once
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # world (Y up, a body faces +Z) -> camera that the body faces


@dataclass(frozen=True)
class RenderConfig:
    """Ranges are (low, high), drawn uniformly."""

    side_px: int = 256
    fov_deg: tuple[float, float] = (20.0, 75.0)
    heading_deg: tuple[float, float] = (-180.0, 180.0)  # 0: towards the camera
    recorded_heading: bool = True  # heading_deg adds to the recorded heading; False takes that out first
    pitch_deg: tuple[float, float] = (-15.0, 35.0)  # the camera looks down by this
    roll_deg: tuple[float, float] = (-8.0, 8.0)
    share: tuple[float, float] = (0.55, 0.95)  # of the picture that the person's longer side takes
    beta_std: float = 1.0
    colours: float = 1.0  # of clothes and background; 1: any colour, 0: always one outfit in a grey room
    clutter: float = 1.0  # of the background: its contrast and the number of its shapes; 0 is one colour
    occluded: float = 0.4  # probability of occluders, one to three
    augmentation: PoseAugmentation = field(default_factory=lambda: PoseAugmentation(changed=0.3, within_limits=0.05))


class Renderer:
    """Draws people of one body file."""

    def __init__(self, body: TorchBody, config: RenderConfig | None = None) -> None:
        self.body = body
        self.config = config or RenderConfig()
        # The garment that a face belongs to, by the joint that moves its first corner most.
        main_joint = body.vertex_weights.argmax(1).numpy()
        garment = _GARMENT_OF_JOINT[main_joint]
        rest, landmarks = body.rest_vertices.numpy(), body.rest_landmarks.numpy()
        behind = rest[:, 2] < landmarks[BLAZEPOSE.index("left_ear"), 2]
        above = rest[:, 1] > landmarks[BLAZEPOSE.index("left_eye"), 1] + _HAIRLINE_M
        garment[(garment == _GARMENTS.index("skin")) & _IS_HEAD[main_joint] & (behind | above)] = _GARMENTS.index(
            "hair"
        )
        self._garment = garment[body.faces[:, 0]]

    def draw(self, rotmats: NDArray, betas: Array, rng: np.random.Generator, name: str = "render") -> Sample:
        """One person with local rotations (22, 3, 3), the root in the world (Y up), and betas (10,)."""
        config = self.config
        side = config.side_px
        turned = rotmats.copy()
        root = rotmats[0] if config.recorded_heading else _without_heading(rotmats[0])
        turned[0] = self._camera_rotation(rng) @ root
        with torch.no_grad():
            given = torch.from_numpy(turned[None]).float(), torch.from_numpy(betas[None])
            joints, landmarks = (points[0].numpy() for points in self.body.points(*given))
            vertices = self.body.vertices(*given)[0].numpy()
        focal_px = side / (2 * np.tan(np.radians(rng.uniform(*config.fov_deg)) / 2))
        position_m = _placed(vertices, focal_px, side, rng.uniform(*config.share), rng)
        vertices = vertices + position_m
        points = np.concatenate((joints, landmarks))
        pixels = _project(vertices, focal_px, side)

        image = _background(side, config, rng)
        face = rasterise(pixels, vertices, self.body.faces, side)
        self._paint(image, face, vertices, rng)
        if rng.random() < config.occluded:
            _occlude(image, pixels, rng)
        low, high = pixels.min(0), pixels.max(0)
        keypoints_2d, keypoints_3d = np.zeros((NUM_KEYPOINTS, 3), np.float32), np.zeros((NUM_KEYPOINTS, 4), np.float32)
        places = KEYPOINT_PLACES[ON_BODY]
        keypoints_2d[ON_BODY, :2] = _project(points[places] + position_m, focal_px, side)
        keypoints_2d[ON_BODY, 2] = 1
        keypoints_3d[ON_BODY, :3] = points[places]
        keypoints_3d[ON_BODY, 3] = 1
        pose = np.zeros((NUM_JOINTS, 3), np.float32)
        pose[: len(turned)] = Rotation.from_matrix(turned).as_rotvec()
        return Sample(
            name=name,
            image_bgr=_finish(image, rng),
            center_px=((low + high) / 2).astype(np.float32),
            side_px=float(max((high - low)[0] * 256 / 192, (high - low)[1])),
            keypoints_2d=keypoints_2d,
            keypoints_3d=keypoints_3d,
            pose=pose,
            betas=betas,
            has_pose=True,
            has_betas=True,
        )

    def _camera_rotation(self, rng: np.random.Generator) -> NDArray:
        """World to camera."""
        yaw = rng.uniform(*self.config.heading_deg)
        pitch, roll = rng.uniform(*self.config.pitch_deg), rng.uniform(*self.config.roll_deg)
        return Rotation.from_euler("zx", (roll, pitch), degrees=True).as_matrix() @ (
            _TO_CAMERA @ Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        )

    def _paint(self, image: NDArray, face: NDArray, vertices: NDArray, rng: np.random.Generator) -> None:
        """Shade the faces that are seen: clothes of random colours under one lamp and ambient light."""
        seen = face >= 0
        normals = _normals(vertices, self.body.faces)
        lamp = rng.normal(size=3) + np.array([0, -1, -1.5])  # mostly from above and before the person
        lambert = np.maximum(normals @ (lamp / np.linalg.norm(lamp)), 0)
        ambient = rng.uniform(0.25, 0.6)
        shade = (ambient + (1 - ambient) * lambert) * rng.uniform(0.7, 1.3)
        colours = _garment_colours(self.config.colours, rng)[self._garment] * shade[:, None]
        weave = cv2.resize(rng.normal(0, 9, (32, 32)).astype(np.float32), image.shape[:2][::-1])
        image[seen] = colours[face[seen]] + weave[seen][:, None]


def rasterise(points_px: NDArray, points_m: NDArray, faces: NDArray, side: int) -> NDArray[np.int32]:
    """The nearest face at each pixel centre, (side, side), -1 where there is none.

    points_px (V, 2) and points_m (V, 3, camera axes) are the same vertices; faces (F, 3) are counter-clockwise from
    outside and drawn only from there. Triangles of a like size are tried together, on every pixel of their boxes.
    """
    toward = (_normals(points_m, faces) * points_m[faces[:, 0]]).sum(-1) < 0
    before = points_m[:, 2] > _NEAR_M
    kept = np.flatnonzero(toward & before[faces[:, 0]] & before[faces[:, 1]] & before[faces[:, 2]])
    corners = points_px[faces[kept]]
    # Pair by pair, because numpy is slow at reducing an axis of two or three.
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    low = np.ceil(np.clip(np.minimum(np.minimum(a, b), c), 0, side)).astype(np.int64)
    high = np.floor(np.clip(np.maximum(np.maximum(a, b), c), -1, side - 1)).astype(np.int64)
    extent = np.maximum(*(high - low).T) + 1
    seen = np.logical_and(*(high >= low).T)
    inverse_depth = 1 / points_m[faces[kept], 2]
    drawn, pixel, nearness = [], [], []
    bucket = 1
    while bucket < 2 * side:
        chosen = np.flatnonzero((extent > bucket // 2) & (extent <= bucket) & seen)
        x = low[chosen, None, 0] + np.tile(np.arange(bucket), bucket)
        y = low[chosen, None, 1] + np.repeat(np.arange(bucket), bucket)
        (ax, ay), (bx, by), (cx, cy) = (corners[chosen, i].T[..., None] for i in range(3))
        double_area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_b = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / double_area
            of_c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / double_area
        inside = (of_b >= 0) & (of_c >= 0) & (of_b + of_c <= 1) & (x < side) & (y < side)
        row, column = np.nonzero(inside)
        b, c = of_b[row, column], of_c[row, column]
        za, zb, zc = inverse_depth[chosen[row]].T
        drawn.append(kept[chosen[row]])
        pixel.append((y * side + x)[row, column])
        nearness.append(za + b * (zb - za) + c * (zc - za))  # 1 / depth is linear in the picture
        bucket *= 2
    buffer = np.full(side * side, -1, np.int32)
    order = np.concatenate(nearness).argsort(kind="stable")
    buffer[np.concatenate(pixel)[order]] = np.concatenate(drawn)[order]  # the nearest is written last
    return buffer.reshape(side, side)


def _without_heading(root: NDArray) -> NDArray:
    """A root rotation (world, Y up) turned about the vertical until the body's front faces +Z."""
    front = root[:, 2]
    return Rotation.from_euler("y", -np.arctan2(front[0], front[2])).as_matrix() @ root


def _normals(vertices: NDArray, faces: NDArray) -> NDArray:
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _project(points_m: NDArray, focal_px: float, side: int) -> NDArray:
    return focal_px * points_m[:, :2] / points_m[:, 2:] + (side - 1) / 2


def _placed(vertices: NDArray, focal_px: float, side: int, share: float, rng: np.random.Generator) -> NDArray:
    """A position (3,) at which the person takes `share` of the picture and lies in it, mostly."""
    low, high = vertices.min(0), vertices.max(0)
    depth = focal_px * (high - low)[:2].max() / (share * side) + max(0.0, -low[2])
    room = (1 - share) * side / 2
    offset = rng.uniform(-room, room, 2) * depth / focal_px
    return np.array([*(offset - (low + high)[:2] / 2), max(depth, _NEAR_M - low[2] + 0.3)])


# Clothes: skin, hair, top, sleeves, trousers, shoes ------------------------------------------------------------------

_HAIRLINE_M = 0.05  # above the eyes
_OUTFIT = np.array(
    [[60.0, 60.0, 200.0], [180.0, 90.0, 40.0], [60.0, 200.0, 220.0]]
)  # red top, blue trousers, yellow shoes
_GARMENTS = ("skin", "hair", "top", "upper_arm", "forearm", "thigh", "shin", "shoe")


def _garments() -> NDArray[np.intp]:
    of = {"pelvis": "thigh", "hip": "thigh", "knee": "shin", "ankle": "shoe",
          "foot": "shoe", "spine": "top", "collar": "top", "shoulder": "upper_arm", "elbow": "forearm"}  # fmt: skip
    parts = [next((of[key] for key in of if key in name), "skin") for name in JOINT_NAMES]
    return np.array([_GARMENTS.index(part) for part in parts])


_GARMENT_OF_JOINT = _garments()
_IS_HEAD = np.array([name in ("head", "neck") for name in JOINT_NAMES])


def _garment_colours(variety: float, rng: np.random.Generator) -> NDArray:
    """(8, 3) BGR by garment: bare or covered arms and legs, as it falls."""
    skin = np.array([0.55, 0.68, 0.90]) * (180 + variety * (rng.uniform(70, 250) - 180)) + variety * rng.normal(0, 6, 3)
    hair = np.array([0.5, 0.6, 0.8]) * (60 + variety * (rng.uniform(15, 200) - 60))
    top, bottom, shoes = _OUTFIT + variety * (rng.uniform(10, 245, (3, 3)) - _OUTFIT)
    long_sleeves, no_sleeves, bare_shins = rng.random(3) < variety * np.array((0.5, 0.3, 0.3))
    forearm = top if long_sleeves else skin
    upper_arm = top if long_sleeves or not no_sleeves else skin
    return np.stack((skin, hair, top, upper_arm, forearm, bottom, skin if bare_shins else bottom, shoes))


# What surrounds the person -------------------------------------------------------------------------------------------


_GREY = 127.5


def _background(side: int, config: RenderConfig, rng: np.random.Generator) -> NDArray[np.float32]:
    """Blurred noise of a random scale under shapes of random colours."""
    clutter = config.clutter
    cells = int(rng.integers(2, 24))
    noise = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
    stretched = np.clip(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), 0, 255)
    wall = _GREY + config.colours * (rng.uniform(0, 255, 3) - _GREY)
    image = (wall + clutter * (stretched - 128) * rng.uniform(0.1, 1.0)).astype(np.float32)
    for _ in range(round(clutter * rng.integers(0, 12))):
        _shape(image, rng.uniform(0, side, 2), rng.uniform(4, side / 2), rng)
    return image


def _occlude(image: NDArray, pixels: NDArray, rng: np.random.Generator) -> None:
    """One to three shapes over the person, each about a random vertex."""
    extent = float(np.ptp(pixels, axis=0).max())
    for _ in range(int(rng.integers(1, 4))):
        _shape(image, pixels[rng.integers(len(pixels))], extent * rng.uniform(0.05, 0.22), rng)


def _shape(image: NDArray, center: NDArray, radius: float, rng: np.random.Generator) -> None:
    """A filled polygon of three to eight corners, squeezed and turned."""
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    points = radius * np.stack((np.cos(angles), np.sin(angles) * rng.uniform(0.2, 1.0)), -1)
    turn = rng.uniform(0, np.pi)
    points = points @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    cv2.fillPoly(image, [(points + center).astype(np.int32)], rng.uniform(0, 255, 3).tolist())


def _finish(image: NDArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Soften, as lenses do, and add sensor noise."""
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + rng.uniform(0, 8) * noise, 0, 255).astype(np.uint8)


# Sets ----------------------------------------------------------------------------------------------------------------


def renders(renderer: Renderer, mocap: Sequence[Path], split: str, count: int, seed: int) -> Iterator[Sample]:
    """`count` samples; number i depends on the seed and on i alone, whatever the count, for i in whole chunks."""
    poses = load_mocap(mocap, split)
    for start in range(0, count, _CHUNK):
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence((seed, start)).generate_state(1, np.uint64)[0] >> 1)
        )
        sampler = PoseSampler(poses, renderer.config.augmentation, generator)
        rotmats = sampler.sample(_CHUNK).double().numpy()
        for index in range(start, min(start + _CHUNK, count)):
            rng = np.random.default_rng((seed, index))
            betas = np.clip(renderer.config.beta_std * rng.standard_normal(10), -2.5, 2.5).astype(np.float32)
            yield renderer.draw(rotmats[index - start], betas, rng, f"{index:08d}")


def write_tars(samples: Iterator[Sample], out: Path) -> Iterator[int]:
    """Write tar files of SHARD samples each into `out`; yields how many samples are written."""
    out.mkdir(parents=True, exist_ok=True)
    numbered = enumerate(samples)
    for shard in itertools.count():
        first = next(numbered, None)
        if first is None:
            return
        with tarfile.open(out / f"{shard:06d}.tar", "w") as tar:
            for number, sample in itertools.chain((first,), itertools.islice(numbered, SHARD - 1)):
                _add(tar, sample)
                yield number + 1


def _add(tar: tarfile.TarFile, sample: Sample) -> None:
    _, jpeg = cv2.imencode(".jpg", sample.image_bgr, (cv2.IMWRITE_JPEG_QUALITY, 92))
    person = {
        "keypoints_2d": sample.keypoints_2d,
        "keypoints_3d": sample.keypoints_3d,
        "center": sample.center_px,
        "scale": np.array((ASPECT, 1), np.float32) * np.float32(sample.side_px / 200),
        "body_pose": sample.pose.reshape(-1),
        "betas": sample.betas,
        "has_body_pose": np.float32(sample.has_pose),
        "has_betas": np.float32(sample.has_betas),
    }
    for suffix, content in (("jpg", jpeg.tobytes()), ("data.pyd", pickle.dumps([person]))):
        member = tarfile.TarInfo(f"{sample.name}.{suffix}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))


@command("training.render")
def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.render", description="Draw pictures of the free body.")
    parser.add_argument("--mocap", type=Path, nargs="+", required=True, metavar="FILE", help="mocap .npz files")
    parser.add_argument("--config", type=Path, metavar="YAML", help="ranges (those in RenderConfig)")
    parser.add_argument("--split", default="train", help="of the mocap (train)")
    parser.add_argument("--body", type=Path, default=ASSETS / "body_open.npz", metavar="FILE")
    parser.add_argument("--count", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(argv)
    if options.out.exists() and any(options.out.iterdir()):
        raise EngineError(f"{options.out} is not empty: name another --out")
    renderer = Renderer(TorchBody(options.body), load_config(RenderConfig, options.config))
    started = time.monotonic()
    samples = renders(renderer, options.mocap, options.split, options.count, options.seed)
    for done in write_tars(samples, options.out):
        if done % 500 == 0 or done == options.count:
            rate = done / (time.monotonic() - started)
            print(f"{done}/{options.count}, {rate:.1f} a second, {(options.count - done) / rate / 60:.1f} min left")
    return 0
