"""Renders one person before a random camera: posed, placed, lit and drawn, with labels."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.mesh import face_normals
from engine.body.model import BodyModel
from engine.body.projection import PinholeCamera
from engine.body.rasteriser import rasterise
from engine.body.skinning import Skinner
from engine.body.vectors import unit
from engine.tokenhmr.crop import ASPECT
from training.data.augment import PoseAugmentation
from training.readers.sample import KEYPOINT_PLACES, NUM_KEYPOINTS, ON_BODY, Array, Sample
from training.render.clothes import garment_colours, garments_of_faces
from training.render.picture import background, finish, occlude

_NEAR_M = 0.1
_TO_CAMERA = np.diag([1.0, -1.0, -1.0])  # world (Y up, a body faces +Z) -> camera that the body faces
_CENTRE_PX = 0.5  # of a pixel from its corner: labels count from the centre of the first pixel


@dataclass(frozen=True)
class RenderConfig:
    """Settings of the renderer. Ranges are (low, high), drawn uniformly."""

    side_px: int = 256
    fov_deg: tuple[float, float] = (20.0, 75.0)
    heading_deg: tuple[float, float] = (-180.0, 180.0)  # 0: towards the camera
    recorded_heading: bool = True  # heading_deg adds to the recorded heading; False removes that first
    pitch_deg: tuple[float, float] = (-15.0, 35.0)  # downward pitch of the camera
    roll_deg: tuple[float, float] = (-8.0, 8.0)
    share: tuple[float, float] = (0.55, 0.95)  # of the image that the person's longer side takes
    beta_std: float = 1.0
    colours: float = 1.0  # of clothes and background; 1: any colour, 0: always one outfit in a grey room
    clutter: float = 1.0  # of the background: its contrast and the number of its shapes; 0 is one colour
    occluded: float = 0.4  # probability of occluders, one to three
    augmentation: PoseAugmentation = field(default_factory=lambda: PoseAugmentation(changed=0.3, within_limits=0.05))


class Renderer:
    """Renderer of people of one body file."""

    def __init__(self, body: BodyModel, config: RenderConfig | None = None) -> None:
        self.body = body
        self.config = config or RenderConfig()
        self._skinner = Skinner(body)
        self._garment = garments_of_faces(body)

    def draw(self, rotmats: NDArray, betas: Array, rng: np.random.Generator, name: str = "render") -> Sample:
        """Render one person with local rotations (22, 3, 3), the root in the world (Y up), and betas (10,)."""
        config = self.config
        side = config.side_px
        turned = np.tile(np.eye(3), (len(self.body.joints_template), 1, 1))
        turned[: len(rotmats)] = rotmats
        root = rotmats[0] if config.recorded_heading else _without_heading(rotmats[0])
        turned[0] = self._camera_rotation(rng) @ root
        posed = turned.astype(np.float32)
        joints, landmarks = (points[0] for points in self.body.landmarks(posed[None], betas[None]))
        vertices = self._skinner.vertices(posed, betas, np.zeros(3, np.float32))
        camera = PinholeCamera(side, side, rng.uniform(*config.fov_deg))
        position_m = _placed(vertices, camera.focal_px, side, rng.uniform(*config.share), rng)
        vertices = vertices + position_m
        points = np.concatenate((joints, landmarks))
        pixels = camera.project(vertices) - _CENTRE_PX

        image = background(side, config.colours, config.clutter, rng)
        seen = rasterise(pixels + _CENTRE_PX, vertices[:, 2], self.body.faces, (side, side)).faces()
        self._paint(image, seen, vertices, rng)
        if rng.random() < config.occluded:
            occlude(image, pixels, rng)
        low, high = pixels.min(0), pixels.max(0)
        keypoints_2d, keypoints_3d = np.zeros((NUM_KEYPOINTS, 3), np.float32), np.zeros((NUM_KEYPOINTS, 4), np.float32)
        places = KEYPOINT_PLACES[ON_BODY]
        keypoints_2d[ON_BODY, :2] = camera.project(points[places] + position_m) - _CENTRE_PX
        keypoints_2d[ON_BODY, 2] = 1
        keypoints_3d[ON_BODY, :3] = points[places]
        keypoints_3d[ON_BODY, 3] = 1
        return Sample(
            name=name,
            image_bgr=finish(image, rng),
            center_px=((low + high) / 2).astype(np.float32),
            side_px=float(max((high - low)[0] / ASPECT, (high - low)[1])),
            keypoints_2d=keypoints_2d,
            keypoints_3d=keypoints_3d,
            pose=Rotation.from_matrix(turned).as_rotvec().astype(np.float32),
            betas=betas,
            has_pose=True,
            has_betas=True,
        )

    def _camera_rotation(self, rng: np.random.Generator) -> NDArray:
        """Draw a rotation from world to camera."""
        yaw = rng.uniform(*self.config.heading_deg)
        pitch, roll = rng.uniform(*self.config.pitch_deg), rng.uniform(*self.config.roll_deg)
        return Rotation.from_euler("zx", (roll, pitch), degrees=True).as_matrix() @ (
            _TO_CAMERA @ Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        )

    def _paint(self, image: NDArray, face: NDArray, vertices: NDArray, rng: np.random.Generator) -> None:
        """Shade the visible faces: clothes of random colours under one lamp and ambient light."""
        seen = face >= 0
        normals = unit(face_normals(vertices, self.body.faces))
        lamp = rng.normal(size=3) + np.array([0, -1, -1.5])  # mostly from above and before the person
        lambert = np.maximum(normals @ (lamp / np.linalg.norm(lamp)), 0)
        ambient = rng.uniform(0.25, 0.6)
        shade = (ambient + (1 - ambient) * lambert) * rng.uniform(0.7, 1.3)
        colours = garment_colours(self.config.colours, rng)[self._garment] * shade[:, None]
        weave = cv2.resize(rng.normal(0, 9, (32, 32)).astype(np.float32), image.shape[:2][::-1])
        image[seen] = colours[face[seen]] + weave[seen][:, None]


def _without_heading(root: NDArray) -> NDArray:
    """Rotate a root (world, Y up) about the vertical until the body's front faces +Z."""
    front = root[:, 2]
    return Rotation.from_euler("y", -np.arctan2(front[0], front[2])).as_matrix() @ root


def _placed(vertices: NDArray, focal_px: float, side: int, share: float, rng: np.random.Generator) -> NDArray:
    """Draw a position (3,) at which the person takes `share` of the image and is mostly inside it."""
    low, high = vertices.min(0), vertices.max(0)
    depth = focal_px * (high - low)[:2].max() / (share * side) + max(0.0, -low[2])
    room = (1 - share) * side / 2
    offset = rng.uniform(-room, room, 2) * depth / focal_px
    return np.array([*(offset - (low + high)[:2] / 2), max(depth, _NEAR_M - low[2] + 0.3)])
