"""Evaluation protocols of 3DPW and EMDB, and a plain one: evaluated joints and origin.

Predictions and ground truth are N rows each, one for each person and frame; as files they are .npz
(docs/evaluation.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from training.metrics import accel_error, joint_angle_error, mpjpe, mve, pa_mpjpe, pck
from training.readers.files import NPZ_ERRORS

Array = NDArray[np.floating]
Flags = NDArray[np.bool_]
_CHUNK = 1024  # rows at a time, so that float64 meshes stay small


@dataclass(frozen=True)
class Protocol:
    """Joints and origin of a protocol. joint_count None accepts any number of joints and evaluates all."""

    name: str
    joint_count: int | None
    joints: tuple[int, ...] | None  # indices of the evaluated joints
    pelvis: tuple[int, ...]  # the mean of these joints is the origin of joints and vertices

    def counted(self, joints: Array) -> Array:
        """Select the evaluated joints (N, C, 3) of joints (N, J, 3), relative to the pelvis."""
        wanted = joints if self.joints is None else joints[:, list(self.joints)]
        return wanted - self.origin(joints)

    def origin(self, joints: Array) -> Array:
        """Return the pelvis (N, 1, 3) of joints (N, J, 3)."""
        return joints[:, list(self.pelvis)].mean(1, keepdims=True)


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        # HMR2.0's 44 keypoints: those of LSP without the top of the head, and H36M's head; the pelvis is MPII's
        Protocol("3dpw", 44, (*range(25, 38), 43), (39,)),
        # SMPL's joints; the origin lies between the hips
        Protocol("emdb", 24, tuple(range(24)), (1, 2)),
        Protocol("plain", None, None, (0,)),
    )
}


class Meshes(Interface):
    """Vertices (N, V, 3): an array, or an object that computes them for the requested rows."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (N, V, 3) of all vertices."""

    def __getitem__(self, rows: NDArray[np.intp], /) -> Array: ...


@dataclass(frozen=True)
class People:
    """Rows of predictions or of the truth. Points are metres in camera axes; rotations are local, in SMPL's order.

    A row of the truth whose joints or rotmats are all NaN is unknown and excluded from their means.
    """

    joints: Array  # (N, J, 3)
    vertices: Meshes | None = None  # (N, V, 3)
    rotmats: Array | None = None  # (N, 24, 3, 3)
    keypoints_2d: Array | None = None  # (N, K, 2) px
    visible: Flags | None = None  # (N, K) bool, of the truth
    box_size_px: Array | None = None  # (N,) side of the person's crop, of the truth
    found: Flags | None = None  # (N,) bool, of predictions: False where there is none
    sequence: NDArray | None = None  # (N,) of the truth: rows of a sequence are consecutive, in temporal order
    ids: NDArray | None = None  # (N,) in both files, to verify that rows pair

    def __len__(self) -> int:
        return len(self.joints)


@dataclass(frozen=True)
class Scores:
    """Means over the people that were found; None if the data of a measure are missing."""

    people: int
    missed: int  # rows without a prediction; excluded from all means
    mpjpe_mm: float | None
    pa_mpjpe_mm: float | None
    unknown: int = 0  # people with unknown true joints; excluded from the means of joints and vertices
    mve_mm: float | None = None
    joint_angle_deg: float | None = None
    pck_05: float | None = None  # share nearer than 0.05 of the crop's side
    pck_10: float | None = None
    accel_error_mm: float | None = None  # mm/frame^2


def score(protocol: Protocol, pred: People, gt: People) -> Scores:
    """Measure predictions against the truth, row by row. Raises EngineError if the two do not pair."""
    _check_pair(protocol, pred, gt)
    found = np.ones(len(gt), bool) if pred.found is None else pred.found.astype(bool)
    people = np.flatnonzero(found)
    if not len(people):
        raise EngineError(f"none of the {len(gt)} predictions is marked as found")
    near, truth = protocol.counted(pred.joints), protocol.counted(gt.joints)
    known = found & ~np.isnan(truth).all((1, 2))
    rows = np.flatnonzero(known)
    _check_finite("joints", near[rows], truth[rows], rows)
    return Scores(
        people=len(people),
        missed=len(gt) - len(people),
        unknown=len(people) - len(rows),
        mpjpe_mm=float(mpjpe(near[rows], truth[rows]).mean()) if len(rows) else None,
        pa_mpjpe_mm=float(pa_mpjpe(near[rows], truth[rows]).mean()) if len(rows) else None,
        mve_mm=_vertex_error(protocol, pred, gt, rows),
        joint_angle_deg=_angle_error(pred, gt, people),
        pck_05=_pck(pred, gt, people, 0.05),
        pck_10=_pck(pred, gt, people, 0.10),
        accel_error_mm=acceleration(near, truth, known, gt.sequence),
    )


def save_people(path: Path, people: People) -> None:
    """Write a file for `load_people`; vertices that are not an array are computed, 12 bytes each."""
    rows = np.arange(len(people))
    data = {key: getattr(people, name) for name, key in _KEYS.items() if getattr(people, name) is not None}
    try:
        with path.open("wb") as file:
            np.savez_compressed(file, **{key: value[rows] for key, value in data.items()})
    except OSError as error:
        raise EngineError(f"cannot write {path}: {error.strerror}") from error


def load_people(path: Path, regressor: Array | None = None) -> People:
    """Read a predictions or ground-truth file. `regressor` (J, V), if given, computes joints from vertices.

    Raises EngineError for a file that cannot be read or has other shapes.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {key: file[key] for key in file.files}
    except NPZ_ERRORS as error:
        reason = getattr(error, "strerror", None) or "it is not an .npz of plain arrays"
        raise EngineError(f"cannot read {path}: {reason}") from error
    if regressor is not None:
        if "vertices" not in data or not _fits(data["vertices"].shape, (None, regressor.shape[1], 3)):
            raise EngineError(f"{path} has no vertices (N, {regressor.shape[1]}, 3) for the regressor")
        data["joints"] = np.einsum("jv,nvc->njc", regressor, data["vertices"], optimize=True)
    if "joints" not in data:
        raise EngineError(f"{path} lacks joints (N, J, 3); its keys: {', '.join(data) or 'none'}")
    n = data["joints"].shape[0] if data["joints"].ndim else 0
    for key, tail in _SHAPES.items():
        if key in data and not _fits(data[key].shape, (n, *tail)):
            wanted = ", ".join("*" if size is None else str(size) for size in (n, *tail))
            raise EngineError(f"{path}: {key} must be ({wanted}), not {data[key].shape}")
        if key in data and data[key].dtype.kind not in _KINDS.get(key, "fiu"):
            raise EngineError(f"{path}: {key} must not be of type {data[key].dtype}")
    if n == 0:
        raise EngineError(f"{path} holds no people")
    return People(**{name: data[key] for name, key in _KEYS.items() if key in data})


_KEYS = {
    "joints": "joints", "vertices": "vertices", "rotmats": "rotmats", "keypoints_2d": "keypoints_2d",
    "visible": "visible", "box_size_px": "box_size_px", "found": "found", "sequence": "sequence", "ids": "id",
}  # fmt: skip
_SHAPES: dict[str, tuple[int | None, ...]] = {
    "joints": (None, 3), "vertices": (None, 3), "rotmats": (24, 3, 3), "keypoints_2d": (None, 2), "visible": (None,),
    "box_size_px": (), "found": (), "sequence": (), "id": (),
}  # fmt: skip

_KINDS = {"visible": "b", "found": "b", "sequence": "fiuU", "id": "fiuU"}  # numpy's kind codes; all others are numbers


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(want in (None, size) for size, want in zip(shape, wanted, strict=True))


def _check_pair(protocol: Protocol, pred: People, gt: People) -> None:
    if len(pred) != len(gt):
        raise EngineError(
            f"{len(pred)} predictions for {len(gt)} people: one row each, found False where there is none"
        )
    if pred.ids is not None and gt.ids is not None and not np.array_equal(pred.ids, gt.ids):
        row = np.flatnonzero(pred.ids != gt.ids)[0]
        raise EngineError(f"row {row} is {pred.ids[row]} in the predictions, {gt.ids[row]} in the truth: sort alike")
    for name in ("joints", "vertices", "keypoints_2d"):
        mine, theirs = getattr(pred, name), getattr(gt, name)
        if mine is not None and theirs is not None and mine.shape != theirs.shape:
            raise EngineError(f"{name} are {mine.shape[1]} in the predictions, {theirs.shape[1]} in the truth")
    if protocol.joint_count not in (None, gt.joints.shape[1]):
        raise EngineError(
            f"protocol {protocol.name} takes {protocol.joint_count} joints, these files have {gt.joints.shape[1]}"
        )


def _check_finite(what: str, pred: Array, gt: Array, rows: NDArray[np.intp]) -> None:
    """Check predictions and truth of `rows` for non-finite numbers."""
    fine = (np.isfinite(pred) & np.isfinite(gt)).all(tuple(range(1, pred.ndim)))
    if not fine.all():
        bad = rows[~fine][0]
        raise EngineError(f"{what} of row {bad} are not finite: set found to False where there is no prediction")


def _angle_error(pred: People, gt: People, people: NDArray[np.intp]) -> float | None:
    if pred.rotmats is None or gt.rotmats is None:
        return None
    rows = people[~np.isnan(gt.rotmats[people]).all((1, 2, 3))]
    if not len(rows):
        return None
    _check_finite("rotmats", pred.rotmats[rows], gt.rotmats[rows], rows)
    return float(joint_angle_error(pred.rotmats[rows, 1:], gt.rotmats[rows, 1:]).mean())


def _vertex_error(protocol: Protocol, pred: People, gt: People, rows: NDArray[np.intp]) -> float | None:
    if pred.vertices is None or gt.vertices is None or not len(rows):
        return None
    near, truth = protocol.origin(pred.joints), protocol.origin(gt.joints)
    total = 0.0
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        total += mve(pred.vertices[part] - near[part], gt.vertices[part] - truth[part]).sum()
    return float(total / len(rows))


def _pck(pred: People, gt: People, rows: NDArray[np.intp], threshold: float) -> float | None:
    if pred.keypoints_2d is None or gt.keypoints_2d is None or gt.box_size_px is None:
        return None
    visible = np.ones(gt.keypoints_2d.shape[:2], bool) if gt.visible is None else gt.visible.astype(bool)
    rows = rows[visible[rows].any(1)]
    if not len(rows):
        return None
    seen = visible[rows, :, None]
    near, truth = (np.where(seen, points[rows], 0) for points in (pred.keypoints_2d, gt.keypoints_2d))
    _check_finite("keypoints_2d", near, truth, rows)
    box = gt.box_size_px[rows, None, None]
    return float(pck(near / box, truth / box, threshold, visible[rows]).mean())


def acceleration(near: Array, truth: Array, found: Flags, sequence: NDArray | None) -> float | None:
    """Compute the acceleration error in mm/frame^2 of joints (N, J, 3) over unbroken runs of one sequence (N,).

    A run has at least three found rows; None if there is none.
    """
    if sequence is None:
        return None
    total, frames = 0.0, 0
    for run in _runs(found, sequence):
        if len(run) >= 3:
            total += accel_error(near[run], truth[run], fps=1.0) * (len(run) - 2)
            frames += len(run) - 2
    return total / frames if frames else None


def _runs(found: Flags, sequence: NDArray) -> Iterator[NDArray[np.intp]]:
    rows = np.flatnonzero(found)
    breaks = np.flatnonzero((np.diff(rows) != 1) | (sequence[rows][1:] != sequence[rows][:-1])) + 1
    yield from np.split(rows, breaks)
