"""A network over an image set: what it says and what is true, as the protocols take them.

The crop is the training's without augmentation, as in the released evaluation: no smoothing, black outside of the
picture. Joints and vertices are of SMPL: the network's of the neutral body, the truth's of the body of the sample's
gender.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from engine.camera import CROP_FOCAL_PX, CROP_SIZE_PX
from engine.checkpoint import read_torch_file
from engine.crop import MEAN, STD
from engine.errors import EngineError
from engine.rotations import rotmat_from_axis_angle
from engine.tokenhmr import TokenHmrOutput
from engine.weights import ASSETS
from training.crops import crop
from training.protocols import PROTOCOLS, Array, People, Protocol
from training.readers.files import BrokenFileError
from training.readers.forms import Form
from training.readers.sample import Gender, ImageSet, Sample
from training.smpl import NUM_EXTRA, Posed, SmplBody, keypoints, read_regressor

logger = logging.getLogger(__name__)

PROTOCOL_OF: dict[Form, Protocol] = {"threedpw": PROTOCOLS["3dpw"], "emdb": PROTOCOLS["emdb"]}  # others: plain
SPLIT_OF: dict[Form, str] = {"threedpw": "test", "emdb": "emdb1", "coco": "val2017"}  # evaluated unless told otherwise
_POSED = 22  # joints of the plain protocol: all but the hands, which are not told apart from the wrists
_CHUNK = 64  # bodies that are skinned at a time

Network = Callable[[Tensor], TokenHmrOutput]  # of images (B, 3, 256, 256), as engine.tokenhmr.TokenHMR


# Bodies --------------------------------------------------------------------------------------------------------------

_GENDERS: tuple[Gender, ...] = ("neutral", "male", "female")


@dataclass(frozen=True)
class Bodies:
    """Bodies by gender, the neutral one first. extra (19, V), where there is one, makes keypoints 25 to 43."""

    by_gender: tuple[SmplBody, ...]
    extra: Tensor | None = None

    @property
    def neutral(self) -> SmplBody:
        return self.by_gender[0]


def load_bodies(form: Form, path: Path | None, extra: Array | None) -> Bodies:
    """What a form's truth needs: for threedpw and emdb the folder of SMPL's three files, for others one body file.

    path None is the free body. Raises EngineError that says which files are needed where.
    """
    if form not in PROTOCOL_OF:
        path = path or ASSETS / "body_open.npz"
        bodies: tuple[SmplBody, ...] = (SmplBody(_find(path, "neutral") if path.is_dir() else path),)
    elif path is None or not path.is_dir():
        raise EngineError(f"the truth of {form} is of SMPL's bodies: give --body DIR, a folder with {_NEEDED}")
    else:
        bodies = tuple(SmplBody(_find(path, gender)) for gender in _GENDERS)
    counts = {body.num_vertices for body in bodies}
    if len(counts) > 1:
        raise EngineError(f"the bodies in {path} have {' and '.join(map(str, sorted(counts)))} vertices: give SMPL's")
    if form == "threedpw":
        if extra is None:
            raise EngineError(
                "3DPW's 14 joints are made of the mesh by a regressor that this checkpoint does not carry: give "
                "--regressor SMPL_to_J19.pkl, from the data that 4D-Humans publishes"
            )
        if extra.shape != (NUM_EXTRA, bodies[0].num_vertices):
            wanted = (NUM_EXTRA, bodies[0].num_vertices)
            raise EngineError(f"the regressor of 3DPW's joints is {extra.shape}, expected {wanted}: SMPL_to_J19.pkl")
    return Bodies(bodies, None if extra is None else torch.from_numpy(np.asarray(extra, np.float32)))


_NEEDED = (
    "SMPL_NEUTRAL.pkl, SMPL_MALE.pkl and SMPL_FEMALE.pkl (or basicmodel_*_lbs_10_207_0_v*.pkl), from smpl.is.tue.mpg.de"
)


def _find(folder: Path, gender: Gender) -> Path:
    """SMPL's file for a gender, under either of the names that it is known by."""
    letter = gender if gender == "neutral" else gender[0]
    name = re.compile(rf"(smpl_{gender}|basicmodel_{letter}_lbs_10_207_0_v[\d.]+)\.(pkl|npz)", re.IGNORECASE)
    found = sorted(path for path in folder.iterdir() if name.fullmatch(path.name))
    if not found:
        raise EngineError(f"{folder} has no SMPL body that is {gender}: it must hold {_NEEDED}")
    return found[0]


def extra_regressor(checkpoint: Path, given: Path | None) -> Array | None:
    """The regressor (19, V) of keypoints 25 to 43: the file that was given, or what the checkpoint carries of it."""
    if given is not None:
        return read_regressor(given)
    content = read_torch_file(checkpoint, "give a TokenHMR checkpoint")
    state = content.get("state_dict", content)
    carried = state.get("smpl.joint_regressor_extra")
    return carried.double().numpy() if torch.is_tensor(carried) else None


# Pictures ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    """A crop and what is true of it."""

    sample: Sample  # its picture left out
    image_rgb: NDArray[np.uint8]  # (3, 256, 256)


class _Crops(Dataset[_Row | str]):
    """The crop of each sample, or why it cannot be read. cut: the part of the square's width and height that is cut
    off, evenly from its borders (TokenHMR, Table 2); what is left fills the network's picture."""

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
        image = crop(square, None, np.random.default_rng(0)).image_bgr  # without augmentation nothing is drawn
        rgb = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))
        return _Row(replace(sample, image_bgr=np.zeros((0, 0, 3), np.uint8)), rgb)


@dataclass(frozen=True)
class Run:
    """A network's answers to those samples of a set that could be read."""

    samples: list[Sample]  # their pictures left out
    rotmats: Tensor  # (N, 24, 3, 3) local, the root in camera axes
    betas: Tensor  # (N, 10)
    cam: Tensor  # (N, 3) of the square that the network saw
    cut: float


@torch.no_grad()
def run_network(
    network: Network, images: ImageSet, cut: float = 0.0, batch: int = 32, device: str = "cpu", workers: int = 0
) -> Run:
    """Ask a network about every sample. Those that cannot be read are left out with a warning; EngineError where none
    is left."""
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
    """Vertices of posed bodies, skinned when they are asked for: a set's would not fit into memory at once."""

    bodies: tuple[SmplBody, ...]
    which: NDArray[np.intp]  # (N,) the number of each row's body
    rotmats: Tensor  # (N, 24, 3, 3)
    betas: Tensor  # (N, 10)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.which), self.bodies[0].num_vertices, 3

    def __getitem__(self, rows: NDArray[np.intp]) -> Array:
        vertices = np.empty((len(rows), *self.shape[1:]), np.float32)
        for places, posed in self.posed(rows):
            vertices[places] = posed.vertices.numpy()
        return vertices

    @torch.no_grad()
    def posed(self, rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Posed]]:
        """Bodies of `rows` in chunks, each with its places among them."""
        for number, body in enumerate(self.bodies):
            mine = np.flatnonzero(self.which[rows] == number)
            for start in range(0, len(mine), _CHUNK):
                places = mine[start : start + _CHUNK]
                yield places, body(self.rotmats[rows[places]], self.betas[rows[places]])


def predictions(run: Run, form: Form, bodies: Bodies) -> People:
    """What the network says, under the form's protocol. Rows with numbers that are not finite count as not found."""
    finite = np.isfinite(torch.cat((run.rotmats.flatten(1), run.betas, run.cam), 1).numpy()).all(1)
    meshes = PosedMeshes(bodies.by_gender[:1], np.zeros(len(finite), int), run.rotmats, run.betas)
    joints, placed = _points(meshes, form, bodies)
    scale, tx, ty = run.cam.numpy().T
    camera = np.stack((tx, ty, 2 * CROP_FOCAL_PX / (CROP_SIZE_PX * scale + 1e-9)), axis=-1)
    in_camera = placed + camera[:, None]
    crop_px = CROP_FOCAL_PX / CROP_SIZE_PX * in_camera[..., :2] / in_camera[..., 2:]  # of the side, 0 in the middle
    center, side = _squares(run)
    return People(
        joints=joints,
        vertices=meshes,
        rotmats=run.rotmats.numpy(),
        keypoints_2d=(center[:, None] + crop_px * (side * (1 - run.cut))[:, None, None]).astype(np.float32),
        found=finite,
        ids=np.array([sample.name for sample in run.samples]),
    )


def truth(run: Run, form: Form, bodies: Bodies) -> People:
    """What is true of the samples, under the form's protocol; NaN where a sample does not say."""
    samples = run.samples
    rotmats = rotmat_from_axis_angle(torch.from_numpy(np.stack([sample.pose for sample in samples])))
    betas = torch.from_numpy(np.stack([sample.betas for sample in samples]))
    which = np.array([_GENDERS.index(sample.gender) for sample in samples])
    has_pose = np.array([sample.has_pose for sample in samples])
    has_body = has_pose & np.array([sample.has_betas or sample.gender != "neutral" for sample in samples])
    if which.max() >= len(bodies.by_gender):
        raise EngineError(f"the truth of {samples[which.argmax()].name} is of a {_GENDERS[which.max()]} body")
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
    """Centres (N, 2) and sides (N,) of the samples' squares, pixels."""
    center = np.stack([sample.center_px for sample in run.samples])
    return center, np.array([sample.side_px for sample in run.samples], np.float32)


def _points(meshes: PosedMeshes, form: Form, bodies: Bodies) -> tuple[Array, Array]:
    """The joints that the form's protocol counts (N, J, 3), and the 44 keypoints (N, 44, 3); metres, SMPL's origin."""
    count = {"threedpw": 44, "emdb": 24}.get(form, _POSED)
    joints = np.empty((len(meshes.which), count, 3), np.float32)
    placed = np.empty((len(meshes.which), 44, 3), np.float32)
    for places, posed in meshes.posed(np.arange(len(meshes.which))):
        points, _ = keypoints(posed, bodies.extra)
        placed[places] = points.numpy()
        if form == "threedpw":
            joints[places] = points.numpy()
        elif form == "emdb":
            joints[places] = (bodies.neutral.regressor @ posed.vertices).numpy()
        else:
            joints[places] = posed.joints[:, :_POSED].numpy()
    return joints, placed
