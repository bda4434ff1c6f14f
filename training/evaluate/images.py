"""Runs a network over an image set and prepares predictions and truth for the protocols.

The crop is the training's without augmentation, as in the released evaluation: no smoothing, black outside of the
image. Joints and vertices are of SMPL: the network's of the neutral body, the truth's of the body of the sample's
gender.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from engine.body.skeleton import NUM_JOINTS
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_axis_angle
from engine.camera import SMPL_PELVIS_M, crop_fractions, crop_translation
from engine.errors import EngineError
from engine.tokenhmr.crop import MEAN, STD
from engine.tokenhmr.network import TokenHmrOutput
from training.data.crops import crop
from training.evaluate.bodies import GENDERS, Bodies
from training.evaluate.protocols import PROTOCOLS, Array, People, Protocol
from training.evaluate.smpl import SMPL_VERTICES, Posed, keypoints, posed
from training.readers.files import BrokenFileError
from training.readers.forms import Form
from training.readers.sample import NUM_KEYPOINTS, ImageSet, Sample

logger = logging.getLogger(__name__)

PROTOCOL_OF: dict[Form, Protocol] = {"threedpw": PROTOCOLS["3dpw"], "emdb": PROTOCOLS["emdb"]}  # others: plain
SPLIT_OF: dict[Form, str] = {"threedpw": "test", "emdb": "emdb1", "coco": "val2017"}  # default splits of the evaluation
_POSED = 22  # joints of the plain protocol: all but the hands, which equal the wrists
_CHUNK = 64  # bodies skinned at a time

Network = Callable[[Tensor], TokenHmrOutput]  # of images (B, 3, 256, 256), as engine.tokenhmr.network.TokenHMR


# Pictures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """Crop with its labels."""

    sample: Sample  # without its image
    image_rgb: NDArray[np.uint8]  # (3, 256, 256)


class _Crops(Dataset[_Row | str]):
    """Crops of an image set, or the error of an unreadable sample.

    cut: the part of the square's width and height that is cut off, evenly from its borders (TokenHMR, Table 2); the
    rest fills the network's input.
    """

    def __init__(self, images: ImageSet, cut: float) -> None:
        self._images, self._cut = images, cut

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> _Row | str:
        try:
            sample = self._images[index]
        except BrokenFileError as error:
            return str(error)
        labels = (sample.center_px, sample.side_px, sample.keypoints_2d, sample.pose, sample.betas)
        if not all(np.isfinite(label).all() for label in labels):
            return f"{sample.name} has labels that are not finite"
        square = replace(sample, side_px=sample.side_px * (1 - self._cut))
        image = crop(square, None, np.random.default_rng(0)).image_bgr  # without augmentation nothing is random
        rgb = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))
        return _Row(replace(sample, image_bgr=np.zeros((0, 0, 3), np.uint8)), rgb)


@dataclass(frozen=True)
class Run:
    """Predictions of a network for the readable samples of a set."""

    samples: list[Sample]  # without their images
    rotmats: Tensor  # (N, 24, 3, 3) local, the root in camera axes
    betas: Tensor  # (N, 10)
    cam: Tensor  # (N, 3) of the network's square input
    cut: float


@torch.no_grad()
def run_network(
    network: Network, images: ImageSet, cut: float = 0.0, batch: int = 32, device: str = "cpu", workers: int = 0
) -> Run:
    """Run a network on every sample.

    Unreadable samples are skipped with a warning; EngineError if none is left.
    """
    mean, std = torch.from_numpy(MEAN).to(device), torch.from_numpy(STD).to(device)
    samples: list[Sample] = []
    unread: list[str] = []
    answers: list[tuple[Tensor, Tensor, Tensor]] = []
    loader = DataLoader(_Crops(images, cut), batch_size=batch, num_workers=workers, collate_fn=list)
    for rows in tqdm(loader, desc=f"{images.name}, {cut:.0%} cut" if cut else images.name, unit="batch", disable=None):
        unread += [row for row in rows if isinstance(row, str)]
        seen = [row for row in rows if isinstance(row, _Row)]
        if seen:
            pictures = torch.from_numpy(np.stack([row.image_rgb for row in seen])).to(device)
            said = network((pictures.float() - mean) / std)
            rotmats = torch.cat((said.global_orient, said.body_pose), dim=1)
            answers.append((rotmats.float().cpu(), said.betas.float().cpu(), said.cam.float().cpu()))
            samples += [row.sample for row in seen]
    if not samples:
        raise EngineError(f"none of the {len(images)} samples of {images.name} can be read, the first: {unread[0]}")
    if unread:
        logger.warning(
            "skipped %d of %d samples that cannot be read, the first: %s", len(unread), len(images), unread[0]
        )
    rotmats, betas, cam = (torch.cat(parts) for parts in zip(*answers, strict=True))
    return Run(samples, rotmats, betas, cam, cut)


# People --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PosedMeshes:
    """Vertices of posed bodies, skinned on demand, because those of a whole set would not fit into memory."""

    bodies: tuple[TorchBody, ...]
    which: NDArray[np.intp]  # (N,) index of each row's body
    rotmats: Tensor  # (N, 24, 3, 3)
    betas: Tensor  # (N, 10)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, V, 3) of all vertices."""
        return len(self.which), len(self.bodies[0].v_template), 3

    def __getitem__(self, rows: NDArray[np.intp]) -> Array:
        vertices = np.empty((len(rows), *self.shape[1:]), np.float32)
        for places, people in self.posed(rows):
            vertices[places] = people.vertices.numpy()
        return vertices

    @torch.no_grad()
    def posed(self, rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Posed]]:
        """Yield the bodies of `rows` in chunks, each with its indices among them."""
        for number, body in enumerate(self.bodies):
            mine = np.flatnonzero(self.which[rows] == number)
            for start in range(0, len(mine), _CHUNK):
                places = mine[start : start + _CHUNK]
                yield places, posed(body, self.rotmats[rows[places]], self.betas[rows[places]])


def predictions(run: Run, form: Form, bodies: Bodies) -> People:
    """Convert predictions for the form's protocol. Rows with non-finite numbers count as not found."""
    finite = np.isfinite(torch.cat((run.rotmats.flatten(1), run.betas, run.cam), 1).numpy()).all(1)
    meshes = PosedMeshes(bodies.by_gender[:1], np.zeros(len(finite), int), run.rotmats, run.betas)
    joints, placed = _points(meshes, form, bodies)
    # The camera positions SMPL's origin; the pelvis of another body has the same offset to it.
    own = len(bodies.neutral.v_template) == SMPL_VERTICES
    origin = 0.0 if own else SMPL_PELVIS_M - bodies.neutral.joints_template[0].numpy()
    in_crop = crop_fractions(placed + (crop_translation(run.cam.numpy()) + origin)[:, None])
    center, side = _squares(run)
    return People(
        joints=joints,
        vertices=meshes,
        rotmats=run.rotmats.numpy(),
        keypoints_2d=(center[:, None] + in_crop * (side * (1 - run.cut))[:, None, None]).astype(np.float32),
        found=finite,
        ids=np.array([sample.name for sample in run.samples]),
    )


def truth(run: Run, form: Form, bodies: Bodies) -> People:
    """Convert the samples' labels for the form's protocol; NaN if a label is missing."""
    samples = run.samples
    rotmats = rotmat_from_axis_angle(torch.from_numpy(np.stack([sample.pose for sample in samples])))
    betas = torch.from_numpy(np.stack([sample.betas for sample in samples]))
    which = np.array([GENDERS.index(sample.gender) for sample in samples])
    has_pose = np.array([sample.has_pose for sample in samples])
    has_body = has_pose & np.array([sample.has_betas or sample.gender != "neutral" for sample in samples])
    if which.max() >= len(bodies.by_gender):
        raise EngineError(f"the truth of {samples[which.argmax()].name} is of a {GENDERS[which.max()]} body")
    meshes = PosedMeshes(bodies.by_gender, which, rotmats, betas)
    joints, _ = _points(meshes, form, bodies)
    joints[~has_body] = np.nan
    _, known = keypoints(next(iter(meshes.posed(np.arange(1))))[1], bodies.extra)
    keypoints_2d = np.stack([sample.keypoints_2d for sample in samples])
    sequences = np.array([sample.sequence for sample in samples])
    return People(
        joints=joints,
        vertices=meshes,
        rotmats=np.where(has_pose[:, None, None, None], rotmats.numpy(), np.nan),
        keypoints_2d=keypoints_2d[..., :2],
        visible=(keypoints_2d[..., 2] > 0) & known,
        box_size_px=_squares(run)[1],
        sequence=sequences if (sequences != "").any() else None,
        ids=np.array([sample.name for sample in samples]),
    )


def _squares(run: Run) -> tuple[Array, Array]:
    """Return centres (N, 2) and sides (N,) of the samples' squares, pixels."""
    center = np.stack([sample.center_px for sample in run.samples])
    return center, np.array([sample.side_px for sample in run.samples], np.float32)


def _points(meshes: PosedMeshes, form: Form, bodies: Bodies) -> tuple[Array, Array]:
    """Return the joints (N, J, 3) of the form's protocol and the 44 keypoints (N, 44, 3); metres, SMPL's origin."""
    count = {"threedpw": NUM_KEYPOINTS, "emdb": NUM_JOINTS}.get(form, _POSED)
    joints = np.empty((len(meshes.which), count, 3), np.float32)
    placed = np.empty((len(meshes.which), NUM_KEYPOINTS, 3), np.float32)
    for places, people in meshes.posed(np.arange(len(meshes.which))):
        points, _ = keypoints(people, bodies.extra)
        placed[places] = points.numpy()
        if form == "threedpw":
            joints[places] = points.numpy()
        elif form == "emdb":
            joints[places] = (bodies.neutral.joint_regressor @ people.vertices).numpy()
        else:
            joints[places] = people.joints[:, :_POSED].numpy()
    return joints, placed
