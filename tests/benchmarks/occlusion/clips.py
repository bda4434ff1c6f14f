"""Measures the error of hidden limbs on a real clip with grey boxes drawn into it: the detector's guess beside ours.

    python -m tests.benchmarks.occlusion VIDEO [VIDEO ...] REFERENCE.trc [--weights FILE ...] [--seen FOLDER]

Every variant (see tests.benchmarks.occlusion.occluders) goes through live perception, offline. Each estimator then gets
the same landmarks. "detector": its own world landmarks. "live": the shipped estimator with its left/right check and
Gauss-Newton step. "shown": the default output, smoothed and with calmed hidden limbs, before a camera of
unknown tilt. Each of --weights alone: a network with a token or a direct head.

Errors are in mm over the twelve limb joints. One similarity a frame aligns the prediction's VISIBLE joints to the
reference's; hidden joints are excluded from the alignment and then measured. PA-MPJPE beside it aligns all twelve.
Detection of a half-hidden person is sensitive to a few pixels, so each variant is drawn with three margins, and means
are over them. --seen stores the output of perception, one .npz a clip, and reuses it the next time. Several videos are
views of one recording.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE, Keypoints
from engine.command import command
from engine.errors import UserError
from realtime.calibration.watch import LEVEL_DOUBT_DEG
from realtime.capture.reader import FrameReader
from realtime.capture.video import VideoSource
from realtime.estimate.landmarks import LandmarkEstimator
from realtime.kernel.messages import LEVEL, Frame, Sighting, TrackedPerson
from realtime.perception import PerceptionConfig, create_perception
from realtime.run.track import Track
from realtime.smoothing.pose_smoother import SmoothingConfig
from realtime.world.world import World
from tests.benchmarks.occlusion.occluders import MARGINS, VARIANTS, fit_projection, occluder, project
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import pa_mpjpe

Array = NDArray[np.float64]

FEWEST_VISIBLE = 4  # minimum for a similarity
BONES = ((0, 1), (0, 2), (2, 4), (1, 3), (3, 5), (6, 7), (0, 6), (1, 7), (6, 8), (8, 10), (7, 9), (9, 11))
UNKNOWN = replace(LEVEL, doubt_deg=LEVEL_DOUBT_DEG)  # the camera as live, where nothing tells its tilt
WHITE, GREEN, RED = (255, 255, 255), (60, 220, 60), (60, 60, 255)


class Seen(NamedTuple):
    """Output of perception for a clip, with the truth. NaN if nobody was found or the reference has no row."""

    image_px: NDArray[np.float32]  # (F, 33, 2)
    world_m: NDArray[np.float32]  # (F, 33, 3)
    visibility: NDArray[np.float32]  # (F, 33)
    truth_m: Array  # (F, 12, 3) in the reference's own axes
    hidden: NDArray[np.bool_]  # (F, 12) behind the grey
    projection: Array  # (3, 4) from the reference's metres to pixels
    size: NDArray[np.int64]  # (2,) width, height
    fps: Array  # ()

    @property
    def found(self) -> NDArray[np.bool_]:
        """Frames (F,) with a person."""
        return np.all(np.isfinite(self.world_m), axis=(1, 2))

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Frames (F,) with a person and a reference."""
        return self.found & np.isfinite(self.truth_m).all((1, 2))

    @property
    def joints_px(self) -> Array:
        """True joints (F, 12, 2) in the image; a frame without a reference takes the nearest one's."""
        known = np.flatnonzero(np.isfinite(self.truth_m).all((1, 2)))
        nearest = known[np.abs(np.arange(len(self.truth_m))[:, None] - known).argmin(1)]
        return project(self.projection, self.truth_m[nearest])


Estimator = Callable[[Seen], Array]  # the twelve joints of every frame, (F, 12, 3) m, in any axes; NaN where unknown


def perceive(frames: Iterable[Frame]) -> list[Keypoints]:
    """Run perception; return the first person's landmarks of every frame, NaN without one."""
    image_px, world_m, visibility = (np.full((len(BLAZEPOSE), *n), np.nan, np.float32) for n in ((2,), (3,), ()))
    nobody = Keypoints(BLAZEPOSE, image_px, world_m, visibility, presence=0.0)
    perception = create_perception(PerceptionConfig())
    people = [perception.observe(frame).people for frame in frames]
    perception.close()
    return [someone[0].keypoints["body"] if someone else nobody for someone in people]


def see(video: Path, reference: Path, frame_offset: int) -> dict[str, list[Seen]]:
    """Run perception on every variant of the clip, with each margin."""
    source = VideoSource(video)
    source.open()
    frames = list(FrameReader(source).every())
    markers = read_trc(reference, LIMB_MARKERS)
    rows = np.arange(len(frames)) - frame_offset
    inside = (rows >= 0) & (rows < len(markers.points_m))
    truth_m = np.full((len(frames), 12, 3), np.nan)
    truth_m[inside] = markers.points_m[rows[inside]]

    def seen(pictures: Iterable[Frame]) -> Seen:
        landmarks = perceive(pictures)
        image_px, world_m, visibility = (
            np.stack([getattr(one, name) for one in landmarks]) for name in Seen._fields[:3]
        )
        nothing, size = np.zeros(truth_m.shape[:2], bool), np.array(frames[0].size)
        return Seen(image_px, world_m, visibility, truth_m, nothing, np.eye(3, 4), size, np.array(markers.fps))

    whole = seen(frames)
    used = np.isfinite(whole.image_px[:, BLAZEPOSE.on_joints]).all(-1) & np.isfinite(truth_m).all(-1)
    projection = fit_projection(truth_m[used], whole.image_px[:, BLAZEPOSE.on_joints][used].astype(np.float64))
    whole = whole._replace(projection=projection)
    clips = {VARIANTS[0]: [whole]}
    for variant in VARIANTS[1:]:
        clips[variant] = []
        for margin in MARGINS:
            grey = occluder(variant, whole.joints_px, margin)
            clip = seen(replace(frame, image_bgr=grey.draw(frame.image_bgr, i)) for i, frame in enumerate(frames))
            clips[variant].append(clip._replace(projection=projection, hidden=grey.hides(whole.joints_px)))
    return clips


def remembered(folder: Path | None, watch: Callable[[], dict[str, list[Seen]]]) -> dict[str, list[Seen]]:
    """Return the stored output of `watch` from the folder, or run it."""
    if folder is None:
        return watch()
    files = {variant: clip_files(folder, variant) for variant in VARIANTS}
    if not all(path.exists() for paths in files.values() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        for variant, clips in watch().items():
            for path, clip in zip(files[variant], clips, strict=True):
                np.savez_compressed(path, **clip._asdict())
    return {variant: [Seen(**np.load(path)) for path in paths] for variant, paths in files.items()}


def clip_files(folder: Path, variant: str) -> list[Path]:
    """List one file a margin; the whole clip has none."""
    return [folder / f"{file_name(variant)}_{i}.npz" for i in range(1 if variant == VARIANTS[0] else len(MARGINS))]


def detector(seen: Seen) -> Array:
    """Return the detector's own world landmarks."""
    return seen.world_m[:, BLAZEPOSE.on_joints].astype(np.float64)


def live(seen: Seen, level: str = "off") -> Array:
    """Run the shipped estimator as live with that level of smoothing; return the detector's points on our body."""
    body, smoothing = load_body("open"), SmoothingConfig(level)
    tokens = smoothing.tokens
    estimator = LandmarkEstimator(body, token_smoothing=tokens)
    track, world = Track(0, body, smoothing.parameters, "off"), World(body, UNKNOWN)
    picture = np.broadcast_to(np.uint8(0), (*seen.size[::-1], 3))
    points = np.full((len(seen.found), len(BLAZEPOSE.on_joints), 3), np.nan)
    for i in np.flatnonzero(seen.found).tolist():
        keypoints = Keypoints(BLAZEPOSE, seen.image_px[i], seen.world_m[i], seen.visibility[i])
        person = TrackedPerson(0, {"body": keypoints}, np.zeros(4, np.float32))
        t = i / float(seen.fps)
        frame = Frame(picture, i, t)
        for estimate in estimator.people(Sighting(frame, (person,))):
            (turned,) = world.turn(track.calmed(t, track.smoothed(t, estimate), estimate.joint_confidence, world))
            points[i] = body.landmarks(turned.rotmats[None], turned.pose.betas[None])[1][0, BLAZEPOSE.on_joints]
    return points


def network(weights: Path, tokenizer_file: Path | None = None) -> Estimator:
    """Run a network's weights alone, each frame by itself; tokenizer None is the shipped one."""
    import torch

    from engine.body.torch.model import TorchBody
    from engine.landmarks import network as landmark_net
    from engine.tokens import tokenizer
    from training.landmarks.losses import posed

    net, _ = landmark_net.load(weights)
    codes = tokenizer.load(tokenizer_file) if net.config.head == "token" else None
    body = TorchBody(OPEN_BODY)

    @torch.no_grad()
    def estimate(seen: Seen) -> Array:
        image_px, world_m, visibility = map(torch.from_numpy, seen[:3])
        said = net(landmark_net.normalise(image_px, world_m, visibility, net.config.gate).features)
        return posed(said, body, codes).landmarks_m[:, BLAZEPOSE.on_joints].double().numpy()

    return estimate


def aligned_by(visible: NDArray[np.bool_], pred: Array, gt: Array) -> Array:
    """Align pred (F, N, 3) to gt by each frame's similarity (no reflection) of the visible points.

    Umeyama 1991 with weights of one and zero. visible (F, N). Frames with fewer than four visible points are NaN.
    """
    weights = visible[..., None].astype(np.float64)
    count = np.maximum(weights.sum(1, keepdims=True), 1)
    pred_centre, gt_centre = ((weights * points).sum(1, keepdims=True) / count for points in (pred, gt))
    centred = weights * (pred - pred_centre)
    U, singular, Vt = np.linalg.svd(centred.swapaxes(1, 2) @ (gt - gt_centre))
    signs = np.ones_like(singular)
    signs[:, 2] = np.sign(np.linalg.det(U @ Vt))
    R = (U * signs[:, None]) @ Vt  # for row vectors
    scale = (singular * signs).sum(1) / np.maximum(np.square(centred).sum((1, 2)), np.finfo(float).tiny)
    found = scale[:, None, None] * (pred - pred_centre) @ R + gt_centre
    return np.where(count < FEWEST_VISIBLE, np.nan, found)


class Errors(NamedTuple):
    """Means in mm; NaN where there is nothing to average."""

    hidden: float
    visible: float
    all: float
    pa_mpjpe: float


def errors_mm(pred: Array, gt: Array, hidden: NDArray[np.bool_]) -> Errors:
    """Compute errors of pred (F, N, 3) aligned by the visible joints, and PA-MPJPE of all; hidden is (F, N)."""
    apart = 1e3 * np.linalg.norm(aligned_by(~hidden, pred, gt) - gt, axis=-1)
    known = np.isfinite(apart)

    def mean(which: NDArray[np.bool_]) -> float:
        part = apart[known & which]
        return float(part.mean()) if part.size else np.nan

    return Errors(mean(hidden), mean(~hidden), mean(np.ones_like(hidden)), float(pa_mpjpe(pred, gt).mean()))


def clip_errors_mm(estimate: Estimator, clips: list[Seen]) -> Errors:
    """Compute errors over all frames of all clips that have a person, a reference and a prediction."""
    found = []
    for clip in clips:
        pred = estimate(clip)
        frames = clip.compared & np.isfinite(pred).all((1, 2))
        found.append((pred[frames], clip.truth_m[frames], clip.hidden[frames]))
    return errors_mm(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def draw_skeletons(image_bgr: NDArray[np.uint8], seen: Seen, frame: int) -> NDArray[np.uint8]:
    """Draw the reference in white, the detector in red, the live estimator in green, aligned as for measuring."""
    image = image_bgr.copy()
    at, gt = slice(frame, frame + 1), seen.truth_m[frame]
    skeletons = [(gt, WHITE)]
    for estimate, colour in ((detector, RED), (live, GREEN)):
        if seen.compared[frame] and np.isfinite(pred := estimate(seen)[at]).all():
            skeletons.append((aligned_by(~seen.hidden[at], pred, gt[None])[0], colour))
    for points_m, colour in skeletons:
        if not np.isfinite(points_m).all():
            continue
        points_px = project(seen.projection, points_m).round().astype(int)
        for a, b in BONES:
            cv2.line(image, points_px[a].tolist(), points_px[b].tolist(), colour, 5, cv2.LINE_AA)
    return image


@command("tests.benchmarks.occlusion.clips")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="+", help="views of what the reference measured")
    parser.add_argument("reference", type=Path)
    parser.add_argument("--weights", type=Path, nargs="*", default=[], help="landmarks.safetensors to measure alone")
    parser.add_argument("--tokenizer", type=Path, help="of --weights (the shipped one)")
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    parser.add_argument("--seen", type=Path, help="folder that keeps what perception saw")
    parser.add_argument(
        "--picture", type=Path, help="file for a picture of all variants in one frame of the first video"
    )
    parser.add_argument("--picture-frame", type=int, default=40)
    args = parser.parse_args()

    views = [
        remembered(
            None if args.seen is None else args.seen / video.stem,
            partial(see, video, args.reference, args.frame_offset),
        )
        for video in args.videos
    ]
    seen = {variant: [clip for view in views for clip in view[variant]] for variant in VARIANTS}
    shown = partial(live, level=SmoothingConfig().level)
    estimators: dict[str, Estimator] = {"detector": detector, "live": live, "shown": shown}
    estimators |= {str(path): network(path, args.tokenizer) for path in args.weights}
    print("| variant | | hidden | to the detector's | visible | all | PA-MPJPE | frames |\n" + "|---" * 8 + "|")
    for variant, clips in seen.items():
        figures = {name: clip_errors_mm(estimate, clips) for name, estimate in estimators.items()}
        compared = np.concatenate([clip.compared for clip in clips])
        for name, errors in figures.items():
            ratio = errors.hidden / figures["detector"].hidden
            hidden = f"{errors.hidden:.0f} | {ratio:.2f}" if np.isfinite(ratio) else "| "
            print(
                f"| {variant} | {name} | {hidden} | {errors.visible:.0f} | {errors.all:.0f} "
                f"| {errors.pa_mpjpe:.1f} | {compared.sum()} of {len(compared)} |"
            )
    if args.picture is not None:
        save_picture(args.picture, args.videos[0], args.picture_frame, views[0])


def file_name(variant: str) -> str:
    return variant.replace(" % ", "_").replace(" ", "_")


def save_picture(path: Path, video: Path, frame: int, seen: dict[str, list[Seen]]) -> None:
    """Save the variants side by side in one frame, cropped around the person. Raises UserError if that fails."""
    capture = cv2.VideoCapture(str(video))
    image = next((picture for i in range(frame + 1) for ok, picture in [capture.read()] if ok and i == frame), None)
    if image is None:
        raise UserError(f"{video} has no frame {frame}: give another --picture-frame")
    joints_px = seen[VARIANTS[0]][0].joints_px
    (x0, y0), (x1, y1) = joints_px[frame].min(0).astype(int), joints_px[frame].max(0).astype(int)
    pad = (y1 - y0) // 4
    views = []
    for variant, clips in seen.items():
        clip, margin = clips[len(clips) // 2], MARGINS[len(MARGINS) // 2]
        drawn = draw_skeletons(
            occluder(variant, joints_px, margin).draw(np.asarray(image, np.uint8), frame), clip, frame
        )
        view = drawn[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad]
        views.append(cv2.resize(view, None, fx=360 / len(view), fy=360 / len(view), interpolation=cv2.INTER_AREA))
    if not cv2.imwrite(str(path), np.hstack(views)):
        raise UserError(f"{path} cannot be written: check the folder, and end the name in .jpg or .png")
