"""Finds the limit of the exactness: how far the estimator comes if a part of what it sees is replaced by the truth.

    python -m tests.benchmarks.league.limits VIDEO... REFERENCE.trc --calibration FILE.toml [--quality best]

The videos are Pose2Sim's views of one motion, in the order of the calibration's cameras. Our body is fitted to the
reference, so that each of the detector's 33 points has a true place. Every frame is estimated alone; the figures are
PA-MPJPE in mm over the twelve limb joints.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.body.skeleton import JOINT_NAMES
from engine.body.torch.model import TorchBody
from engine.body.torch.rotations import rotmat_from_6d, sixd_from_rotmat
from engine.command import command
from engine.tokens import tokenizer
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.kernel.messages import Frame, Sighting, TrackedPerson
from realtime.perception import PerceptionConfig
from realtime.perception.config import Quality
from realtime.run.report import machine
from tests.benchmarks.occlusion.occluders import project
from tests.benchmarks.perceived import perceived
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import pa_mpjpe

Array = NDArray[np.float64]

LIMB_JOINTS = BLAZEPOSE.joint_indices(JOINT_NAMES)
HIPS = BLAZEPOSE.indices(("left_hip", "right_hip"))
OTHERS = {
    "left_heel": "LHeel",
    "right_heel": "RHeel",
    "left_foot_index": "LBigToe",
    "right_foot_index": "RBigToe",
    "nose": "Nose",
}
OTHERS_WEIGHT = 0.15  # markers on the skin, which are not where the body's points are
STAY, STEADY, MEAN_SHAPE = 0.02, 0.02, 5e-4  # weights of the fit's priors: start, last frame, mean body
Y_UP_TO_Z_UP = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # Pose2Sim turns the calibration's Z up into Y up

# Shares of the truth in 2D, in depth, across and along the picture, and whether all is visible.
ROWS = {
    "as seen": (0, 0, 0, False),
    "true 2D": (1, 0, 0, False),
    "true depth": (0, 1, 0, False),
    "true 3D": (0, 1, 1, False),
    "true 2D and depth": (1, 1, 0, False),
    "true 2D and 3D": (1, 1, 1, False),
    "true 2D and 3D, all visible": (1, 1, 1, True),
}


class Fit(NamedTuple):
    """Our body on the reference's markers."""

    rotmats: NDArray[np.float32]  # (F, 22, 3, 3), the root in the reference's axes
    betas: NDArray[np.float32]  # (10,)
    points_m: Array  # (F, 33, 3) the detector's points, in the reference's axes
    joints_m: Array  # (F, 12, 3) limb joints, from the pelvis


class View(NamedTuple):
    """Output of perception for a video; the first frame has no reference."""

    seen: list[Keypoints | None]
    size: tuple[int, int]


def fitted(limbs_m: Array, others_m: Array, start: NDArray[np.float32], steps: int = 600) -> Fit:
    """Fit one shape and all poses to limb joints (F, 12, 3) and the points of OTHERS (F, 5, 3), in metres.

    start (F, 22, 3, 3): rotations in the reference's axes, which the fit stays near.
    """
    body, limbs, others = TorchBody(OPEN_BODY), torch.tensor(limbs_m).float(), torch.tensor(others_m).float()
    first = sixd_from_rotmat(torch.from_numpy(start))
    sixd, trans = first.clone().requires_grad_(), limbs[:, 6:8].mean(1).requires_grad_()
    betas, log_size = torch.zeros(1, 10, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([{"params": [sixd, trans], "lr": 0.01}, {"params": [betas, log_size], "lr": 0.02}])
    rate = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2 * steps // 3], 0.2)
    which = BLAZEPOSE.indices(OTHERS)

    def posed() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rotmats = rotmat_from_6d(sixd)
        joints, points = body.landmarks(rotmats, betas.expand(len(limbs), 10))
        return rotmats, log_size.exp() * joints, log_size.exp() * points

    for _ in range(steps):
        rotmats, joints, points = posed()
        loss = (joints[:, LIMB_JOINTS] + trans[:, None] - limbs).norm(dim=-1).mean()
        loss = loss + OTHERS_WEIGHT * (points[:, which] + trans[:, None] - others).norm(dim=-1).mean()
        loss = loss + STAY * (sixd - first).square().mean() + STEADY * rotmats.diff(dim=0).square().mean()
        optimizer.zero_grad()
        (loss + MEAN_SHAPE * betas.square().mean()).backward()
        optimizer.step()
        rate.step()
    with torch.no_grad():
        rotmats, joints, points = posed()
        place = (points + trans[:, None]).double().numpy()
        return Fit(rotmats.numpy(), betas[0].numpy().copy(), place, joints[:, LIMB_JOINTS].double().numpy())


def through_tokens(fit: Fit) -> Array:
    """Return the limb joints (F, 12, 3) of the fit after encoding and decoding, in metres."""
    codes, body = tokenizer.load(), TorchBody(OPEN_BODY)
    with torch.no_grad():
        rotmats = torch.from_numpy(fit.rotmats)
        decoded = torch.cat((rotmats[:, :1], codes.decode(codes.encode(rotmats[:, 1:]))), 1)
        joints, _ = body.landmarks(decoded, torch.from_numpy(fit.betas).expand(len(decoded), 10))
    return joints[:, LIMB_JOINTS].double().numpy()


def watch(video: Path, quality: Quality) -> View:
    """Return the first person of each frame."""
    sightings = list(perceived(video, PerceptionConfig(quality=quality)))
    people = [sighting.people for sighting in sightings]
    return View([each[0].keypoints["body"] if each else None for each in people], sightings[0].frame.size)


def estimate(view: View, fps: float, refine: bool = True) -> tuple[Array, NDArray[np.float32]]:
    """Return limb joints (F, 12, 3) in camera axes, NaN where there are none, and rotations (F, 22, 3, 3)."""
    body = load_body("open")
    estimator = LandmarkEstimator(body, refine=refine)
    picture = np.broadcast_to(np.uint8(0), (*view.size[::-1], 3))
    joints_m = np.full((len(view.seen), len(LIMB_JOINTS), 3), np.nan)
    rotmats = np.tile(np.eye(3, dtype=np.float32), (len(view.seen), 22, 1, 1))
    for seq, keypoints in enumerate(view.seen):
        if keypoints is not None:
            person = TrackedPerson(0, {"body": keypoints}, np.zeros(4, np.float32))
            for found in estimator.people(Sighting(Frame(picture, seq, seq / fps), (person,))):
                joints, _ = body.landmarks(found.raw.rotmats[None], found.raw.betas[None])
                joints_m[seq], rotmats[seq] = joints[0, LIMB_JOINTS], found.raw.rotmats[:22]
    return joints_m, rotmats


def told(view: View, row: tuple[float, float, float, bool], px: Array, world_m: Array, offset: int) -> View:
    """Return the view with shares of the truth: px (F, 33, 2), world_m (F, 33, 3) in camera axes, hips' middle at 0."""
    image, depth, plane, visible = row
    share, seen = np.array([plane, plane, depth], np.float32), list(view.seen)
    for seq in range(offset, min(offset + len(px), len(seen))):
        if (here := seen[seq]) is not None:
            centred_m = here.world_m - here.world_m[HIPS].mean(0)
            seen[seq] = Keypoints(
                BLAZEPOSE,
                (here.image_px + image * (px[seq - offset] - here.image_px)).astype(np.float32),
                (centred_m + share * (world_m[seq - offset] - centred_m)).astype(np.float32),
                np.ones_like(here.visibility) if visible else here.visibility,
                here.presence,
            )
    return view._replace(seen=seen)


def cameras(calibration: Path) -> list[tuple[Array, Array]]:
    """Return for each camera of Pose2Sim's file its projection (3, 4) of the reference's metres, and its rotation."""
    told = tomllib.loads(calibration.read_text(encoding="utf-8"))
    found = []
    for name in sorted(name for name in told if name != "metadata"):
        R = cv2.Rodrigues(np.array(told[name]["rotation"]))[0] @ Y_UP_TO_Z_UP
        K = np.array(told[name]["matrix"])
        found.append((K @ np.column_stack((R, told[name]["translation"])), R))
    return found


def on_image(projection: Array, limbs_m: Array, points_m: Array, seen: list[Keypoints | None], offset: int) -> Array:
    """Project points (F, 33, 3), shifted by the median distance of the limbs seen: calibrations are pixels off."""
    known = [i for i in range(len(limbs_m)) if i + offset < len(seen) and seen[i + offset] is not None]
    limbs_px = np.stack([keypoints.image_px[BLAZEPOSE.on_joints] for i in known if (keypoints := seen[i + offset])])
    return project(projection, points_m) + np.median(limbs_px - project(projection, limbs_m[known]), axis=(0, 1))


@command("tests.benchmarks.league.limits")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("reference", type=Path, metavar="REFERENCE.trc")
    parser.add_argument("--calibration", type=Path, required=True, help="Pose2Sim's .toml with a camera a video")
    parser.add_argument("--quality", choices=get_args(Quality), default="best")
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    given = parser.parse_args()
    limbs, others = (read_trc(given.reference, names) for names in (LIMB_MARKERS, tuple(OTHERS.values())))
    views = [watch(video, given.quality) for video in given.videos]
    offset = given.frame_offset
    rows = min(len(limbs.points_m), *(len(view.seen) - offset for view in views))
    truth_m = limbs.points_m[:rows]

    def error_mm(joints_m: Array) -> float:
        found = np.isfinite(joints_m).all((1, 2))
        return float(pa_mpjpe(joints_m[found], truth_m[found]).mean())

    joints_m, start = estimate(views[0], limbs.fps)
    joints_m, start = joints_m[offset : offset + rows], start[offset : offset + rows]
    for i in np.flatnonzero(np.isfinite(joints_m).all((1, 2))):
        to_reference, _ = Rotation.align_vectors(truth_m[i] - truth_m[i].mean(0), joints_m[i] - joints_m[i].mean(0))
        start[i, 0] = to_reference.as_matrix() @ start[i, 0]
    fit = fitted(truth_m, others.points_m[:rows], start)
    print(f"{machine()}; our body on the reference {error_mm(fit.joints_m):.1f} mm, ", end="")
    print(f"through the tokens {error_mm(through_tokens(fit)):.1f} mm\n")
    print("| " + " | ".join((f"PA-MPJPE mm, {given.quality}", *(video.stem for video in given.videos))) + " | mean |")
    print("|---" * (len(views) + 2) + "|")
    places = []
    for view, (projection, R) in zip(views, cameras(given.calibration), strict=True):
        centred_m = (fit.points_m - fit.points_m[:, HIPS].mean(1, keepdims=True)) @ R.T
        places.append((view, on_image(projection, truth_m, fit.points_m, view.seen, offset), centred_m))
    for name, row in ROWS.items():
        for refine in (False, True) if name in ("as seen", "true 2D and 3D, all visible") else (True,):
            seen = [told(view, row, px, world_m, offset) for view, px, world_m in places]
            errors = [error_mm(estimate(each, limbs.fps, refine)[0][offset : offset + rows]) for each in seen]
            cells = [f"{error:.1f}" for error in (*errors, np.mean(errors))]
            print("| " + " | ".join((name + ("" if refine else ", network alone"), *cells)) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
