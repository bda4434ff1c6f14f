"""Measures what another person costs a pose: the same man at the same moment alone, and beside a woman.

    python -m tests.benchmarks.people.beside REFERENCE.trc [VIEW...] [--people N] [--frame-offset 1]

The views are those of Pose2Sim's single-person demo; its multi-person demo is the same film, with a woman rendered into
it. The reference has the triangulated keypoints of the single-person demo. Prints the PA-MPJPE of the twelve limb
joints over the frames in which he is found in both, from each frame alone, in mm.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.command import command
from realtime.assets import DEMO_CLIP, Asset, fetch
from realtime.calibration.config import CameraConfig
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import Person, SolvedFrame
from realtime.perception.config import PerceptionConfig
from realtime.run.app import App
from realtime.run.config import LiveConfig
from realtime.smoothing.pose_smoother import SmoothingConfig
from tests.benchmarks.accuracy import LIMB_JOINTS
from tests.benchmarks.people.labels import CLIPS
from tests.benchmarks.people.measures import SAME, overlap
from training.evaluate.trc import LIMB_MARKERS, read_trc
from training.metrics import aligned, mpjpe

_SHA256 = {
    "cam01": "cf4f2816c86bea4bfbea255333d8626ff32a3ecabdab8b0fb147cea9167fde3a",
    "cam02": DEMO_CLIP.sha256,
    "cam03": "b8b329f832f178f27ecb78d024d5026b96c6adb36c387bfe2c0af85eab8a11ca",
    "cam04": "b5c0e7863fd70d008e7178d3c556b045b0ea5f78fcd61ca548a0b2e807e641f7",
}
ALONE = {
    view: Asset(
        f"pose2sim_demo_{view}.mp4",
        DEMO_CLIP.origin,
        f"Pose2Sim/Demo_SinglePerson/videos/{view}.mp4",
        sha256,
        DEMO_CLIP.licence,
    )
    for view, sha256 in _SHA256.items()
}

Array = NDArray[np.float64]


@command("tests.benchmarks.people.beside")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("reference", type=Path)
    parser.add_argument("views", nargs="*", metavar="VIEW", help=", ".join(ALONE), default=list(ALONE))
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--frame-offset", type=int, default=1, help="video frame less row of the reference (1)")
    given = parser.parse_args()
    truth_m = read_trc(given.reference, LIMB_MARKERS).points_m
    rows = {row + given.frame_offset: points for row, points in enumerate(truth_m)}
    print("| view | frames | alone, mm | beside another, mm | ratio | median | worst frame, mm |\n|" + "---|" * 7)
    every: list[Array] = []
    for view in given.views:
        alone = {seq: people[0] for seq, people in solved(fetch(ALONE[view]), 1).items() if people}
        beside = the_man(alone, solved(fetch(CLIPS[view]), given.people))
        seqs = sorted(alone.keys() & beside.keys() & rows.keys())
        truth = np.stack([rows[seq] for seq in seqs])
        every.append(np.stack([errors_mm([who[seq] for seq in seqs], truth) for who in (alone, beside)]))
        _print(view, every[-1])
    _print("all", np.concatenate(every, axis=1))


def solved(video: Path, people: int) -> dict[int, tuple[Person, ...]]:
    """Return everybody valid in every frame of the video, by its number."""
    frames: list[SolvedFrame] = []
    config = LiveConfig(
        source=SourceConfig(video=video),
        perception=PerceptionConfig(max_people=people),
        camera=CameraConfig(fov_deg=60.0),
        smoothing=SmoothingConfig("off"),
        view="none",
        offline=True,
    )
    App(config, on_solved=frames.append).run()
    return {each.frame.seq: tuple(person for person in each.people if person.valid) for each in frames}


def the_man(alone: dict[int, Person], beside: dict[int, tuple[Person, ...]]) -> dict[int, Person]:
    """Return him in every frame of the film with two: all frames of the ids that mostly lie where he is alone."""
    lies: dict[int, list[bool]] = defaultdict(list)
    for seq, people in beside.items():
        for person in people:
            lies[person.id].append(seq in alone and overlap(*map(_box, (person, alone[seq]))) >= SAME)
    his = {i for i, each in lies.items() if np.mean(each) > 0.5}
    return {seq: person for seq, people in beside.items() for person in people if person.id in his}


def errors_mm(people: Iterable[Person], truth: Array) -> Array:
    """Return the PA-MPJPE of each frame, mm."""
    found = np.stack([person.raw.joints[LIMB_JOINTS] for person in people]).astype(np.float64)
    return np.array(mpjpe(aligned(found, truth), truth))


def _box(person: Person) -> NDArray[np.float32]:
    seen = person.keypoints["body"].image_px
    return np.concatenate([seen.min(axis=0), seen.max(axis=0)])


def _print(view: str, errors: Array) -> None:
    (alone, beside), middle = errors.mean(axis=1), np.median(errors, axis=1)
    print(
        f"| {view} | {errors.shape[1]} | {alone:.1f} | {beside:.1f} | {beside / alone:.2f} "
        f"| {middle[1] / middle[0]:.2f} | {errors[1].max():.0f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
