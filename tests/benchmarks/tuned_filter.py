"""Measures the rotation filter of `light` as it is tuned, beside the same filter by rules and beside no filter.

    python -m tests.benchmarks.tuned_filter [VIDEO... REFERENCE.trc] [--mocap FILE...] [--weights TUNER.npz ...]

Videos are views of one motion, and the reference has its triangulated joints. Swings, a still person and noise are
those of `tests.benchmarks.smoothing_table`. "Noisy" is the mean error of the wrist that swings under noise. With
--mocap a cartwheel is filtered too: clip 49_08 of CMU, true poses. Each estimate is made once, and filtered by each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.body.files import OPEN_BODY, load_body
from engine.body.keypoints import BLAZEPOSE
from engine.body.kinematics import forward_kinematics
from engine.body.model import BodyModel
from engine.body.rotations import angle_between, rotmat_from_axis_angle
from engine.body.skeleton import JOINT_NAMES
from engine.command import command
from realtime.estimate.estimator import EstimatorConfig, create_estimator
from realtime.kernel.messages import Array, CameraPose, Sighting
from realtime.smoothing.learned_tuner import WEIGHTS, LearnedTuner, load_weights
from realtime.smoothing.pose_smoother import LEVELS, PoseFilters
from tests.benchmarks.league.measures import score
from tests.benchmarks.perceived import perceived
from tests.benchmarks.smoothing_table import DISTANCE_M, FPS, SWING_RAD, gain_and_delay_ms, sightings
from training.data.mocap import load_mocap
from training.evaluate.trc import LIMB_MARKERS, read_trc

FRAME_OFFSET = 1  # of the clips, less row of the reference
LIMBS, WRIST = BLAZEPOSE.joint_indices(JOINT_NAMES), JOINT_NAMES.index("right_wrist")
SWING_S, STILL_S, SETTLED = 12, 20, 2 * FPS
CARTWHEEL = "49_08"
LIGHT = LEVELS["light"]

Filters = Callable[[], PoseFilters | None]  # None: no filter


class Motion(NamedTuple):
    """Estimates of one person by frame."""

    seq: list[int]
    t: list[float]
    poses: list[CameraPose]
    confidence: list[Array]  # (24,)


def estimated(body: BodyModel, given: Iterable[Sighting]) -> Motion:
    """Estimate each frame alone."""
    estimator, motion = create_estimator(EstimatorConfig(), body), Motion([], [], [], [])
    for sighting in given:
        for frame in estimator.estimate(sighting):
            for person in frame.people[:1]:
                motion.seq.append(sighting.frame.seq)
                motion.t.append(sighting.frame.t_capture)
                motion.poses.append(person.raw)
                motion.confidence.append(person.joint_confidence)
    return motion


def joints(body: BodyModel, motion: Motion, filters: Filters) -> Array:
    """Filter a motion and return its joints (N, 24, 3), in m from the pelvis."""
    used = filters()
    rows = zip(motion.t, motion.poses, motion.confidence, strict=True)
    poses = motion.poses if used is None else [used.update(*row) for row in rows]
    rotmats, betas = (np.stack([getattr(pose, name) for pose in poses]) for name in ("rotmats", "betas"))
    return forward_kinematics(rotmats, body.rest_joints(betas))[1]


def ways(weights: Sequence[Path]) -> dict[str, Filters]:
    """The filters by name."""
    assert LIGHT is not None
    rules = replace(LIGHT, learnt=False)

    def tuned(path: Path) -> Filters:
        return lambda: PoseFilters(rules, LearnedTuner(load_weights(path)))

    return {"not smoothed": lambda: None, "by rules": lambda: PoseFilters(rules)} | {
        path.stem if len(weights) > 1 else "tuned": tuned(path) for path in weights
    }


def synthetic(body: BodyModel) -> Callable[[Filters], dict[str, str]]:
    """Estimate swings and a still person; return what measures a filter on them."""
    stand = repeat(np.array([0, 0, DISTANCE_M], np.float32))
    t = np.arange(SWING_S * FPS) / FPS
    waves = {f: SWING_RAD * np.sin(2 * np.pi * f * t) for f in (1.0, 2.0, 3.0)}
    clean, noisy = (
        {f: estimated(body, sightings(body, wave, stand, noise)) for f, wave in waves.items()} for noise in (0.0, 1.0)
    )
    still = estimated(body, sightings(body, np.zeros(STILL_S * FPS), stand, 1.0))
    rough = {f: joints(body, motion, lambda: None)[:, WRIST] for f, motion in clean.items()}

    def measure(filters: Filters) -> dict[str, str]:
        row = {}
        for f, motion in clean.items():
            gain, delay_ms = gain_and_delay_ms(joints(body, motion, filters)[:, WRIST], rough[f], f)
            row[f"wrist, {f:.0f} Hz"] = f"{gain:.2f}, {abs(delay_ms):.0f} ms"
        row["still mm"] = f"{1e3 * np.sqrt(joints(body, still, filters)[SETTLED:].var(0).sum(-1)).mean():.1f}"
        errors = (joints(body, noisy[f], filters)[:, WRIST] - rough[f] for f in waves)
        row["noisy mm, 1 2 3 Hz"] = " ".join(f"{1e3 * np.linalg.norm(e[SETTLED:], axis=-1).mean():.0f}" for e in errors)
        return row

    return measure


def real(body: BodyModel, videos: Sequence[Path], reference: Path) -> Callable[[Filters], dict[str, str]]:
    """Estimate the videos; return what measures a filter on them."""
    markers = read_trc(reference, LIMB_MARKERS)
    truth_m = {row + FRAME_OFFSET: points for row, points in enumerate(markers.points_m) if np.isfinite(points).all()}
    motions = [estimated(body, perceived(video)) for video in videos]

    def measure(filters: Filters) -> dict[str, str]:
        scores = [
            score(dict(zip(motion.seq, joints(body, motion, filters)[:, LIMBS], strict=True)), truth_m, markers.fps)
            for motion in motions
        ]
        return {
            "PA-MPJPE mm": " ".join(f"{each.pa_mpjpe_mm:.1f}" for each in scores),
            "acceleration error": " ".join(f"{each.accel_error_mm:.1f}" for each in scores),
        }

    return measure


def cartwheel(files: Sequence[Path]) -> Callable[[Filters], dict[str, str]]:
    """Read the cartwheel; return what measures a filter on it."""
    mocap = load_mocap(files, "test_ood")
    body = rotmat_from_axis_angle(mocap.axis_angle[mocap.clip == list(mocap.clip_names).index(CARTWHEEL)].numpy())
    rotmats = np.concatenate((body, np.tile(np.eye(3), (len(body), 2, 1, 1))), 1).astype(np.float32)
    sure, place, shape = np.ones(24, np.float32), np.array([0, 0, DISTANCE_M], np.float32), np.zeros(10, np.float32)

    def measure(filters: Filters) -> dict[str, str]:
        used, shown = filters(), rotmats
        if used is not None:
            poses = (CameraPose(each, place, shape) for each in rotmats)
            shown = np.stack([used.update(k / mocap.fps, pose, sure).rotmats for k, pose in enumerate(poses)])
        fastest = [angle_between(each[1:, 0], each[:-1, 0]).max() for each in (shown, rotmats)]
        return {"cartwheel, peak speed": f"{fastest[0] / fastest[1]:.2f}"}

    return measure


@command("tests.benchmarks.tuned_filter")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", type=Path, nargs="*", metavar="VIDEO... REFERENCE.trc")
    parser.add_argument("--mocap", type=Path, nargs="+", metavar="FILE", help="mocap .npz files with clip 49_08")
    parser.add_argument("--weights", type=Path, nargs="+", default=[WEIGHTS], metavar="NPZ", help="of tuners")
    given = parser.parse_args()
    if len(given.clips) == 1:
        parser.error("videos come with a reference, or leave both out")
    body = load_body(OPEN_BODY)
    measured = [real(body, given.clips[:-1], given.clips[-1])] if given.clips else []
    measured += [synthetic(body)] + ([cartwheel(given.mocap)] if given.mocap else [])
    rows = {
        name: {key: cell for measure in measured for key, cell in measure(filters).items()}
        for name, filters in ways(given.weights).items()
    }
    names = list(next(iter(rows.values())))
    print(f"| | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(row.values())} |", flush=True)


if __name__ == "__main__":
    main()
