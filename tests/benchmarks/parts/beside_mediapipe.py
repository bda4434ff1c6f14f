"""Compares our hands and faces with MediaPipe's own, on the same video. Run by hand.

    python tests/benchmarks/parts/beside_mediapipe.py record VIDEO THEIRS.npz  # where mediapipe==0.10.21 is
    python -m tests.benchmarks.parts.beside_mediapipe compare VIDEO THEIRS.npz [--people N]

Version 0.10.21 has the networks that we run, in its wheel. `record` runs its Hands and Holistic solutions as they track
a video. `compare` runs ours, and matches each of our hands to their nearest one in the frame. Distances are the mean
over the points, in % of the larger side of the box around theirs. "Same square" runs our network once more, in the
square that their points give: so it leaves out how squares are followed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR = 0.5  # of the box: the mean distance below which two hands are the same


def record(video: Path, out: Path, people: int) -> None:
    """Write MediaPipe's points (N, 21 or 468, 2: pixels), their frames, and whether each is a right hand.

    Hands come from Hands, which looks in the whole picture and names sides by their looks. Where Holistic, which has
    one person and names sides by the body, sees one elsewhere, that hand is added.
    """
    import mediapipe

    solutions: Any = mediapipe.solutions
    hands = solutions.hands.Hands(max_num_hands=2 * people, model_complexity=1)
    holistic = solutions.holistic.Holistic(model_complexity=1, smooth_landmarks=False)
    found: dict[str, list[Any]] = {
        name: [] for name in ("hand_frame", "hand_px", "right", "by", "face_frame", "face_px")
    }
    capture, frame = cv2.VideoCapture(str(video)), 0
    while True:
        ok, image = capture.read()
        if not ok:
            break
        rgb, size = cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (image.shape[1], image.shape[0])

        def keep(points: Any, right: bool, by: str, size: tuple[int, int] = size, frame: int = frame) -> None:
            found["hand_frame"].append(frame)
            found["hand_px"].append([(p.x * size[0], p.y * size[1]) for p in points.landmark])
            found["right"].append(right)
            found["by"].append(by)

        seen = hands.process(rgb)
        for points, side in zip(seen.multi_hand_landmarks or (), seen.multi_handedness or (), strict=True):
            keep(points, side.classification[0].label == "Left", "hands")  # it takes pictures for mirrored ones
        whole = holistic.process(rgb)
        for points, right in ((whole.left_hand_landmarks, False), (whole.right_hand_landmarks, True)):
            if points is not None:
                keep(points, right, "holistic")
        if whole.face_landmarks is not None:
            found["face_frame"].append(frame)
            found["face_px"].append([(p.x * size[0], p.y * size[1]) for p in whole.face_landmarks.landmark])
        frame += 1
    arrays: dict[str, Any] = {name: np.array(values) for name, values in found.items()}
    np.savez(out, version=mediapipe.__version__, **arrays)
    print(
        f"mediapipe {mediapipe.__version__}: {frame} frames, {len(found['right'])} hands, {len(found['face_px'])} faces"
    )


def compare(video: Path, theirs: Path, people: int) -> None:
    """Print how far ours are from theirs, and how often the hands' sides are the same."""
    from realtime.kernel.messages import Frame
    from realtime.perception import PerceptionConfig, create_perception
    from realtime.perception.parts.hand import around
    from realtime.perception.parts.hand_pair import HandLook
    from realtime.perception.parts.networks import PartNetworks

    config = PerceptionConfig(max_people=people, hands=True, face=True)
    perception, networks = create_perception(config), PartNetworks(config)
    assert networks.hands is not None
    kept = np.load(theirs)
    capture, frame, before = cv2.VideoCapture(str(video)), 0, -1
    fps = capture.get(cv2.CAP_PROP_FPS)
    ours = {"hands": 0, "faces": 0}
    apart: dict[str, list[float]] = {"hands, Hands": [], "hands, Holistic": [], "same square": [], "faces": []}
    same_side: dict[str, list[bool]] = {"hands": [], "holistic": []}
    while True:
        ok, read = capture.read()
        if not ok:
            break
        image = np.asarray(read, np.uint8)
        there = {
            by: (kept["hand_px"][now], kept["right"][now])
            for by in same_side
            for now in [(kept["hand_frame"] == frame) & (kept["by"] == by)]
        }
        earlier = kept["hand_px"][(kept["hand_frame"] == before) & (kept["by"] == "hands")]
        for person in perception.observe(Frame(image, frame, frame / fps)).people:
            for side in ("left", "right"):
                hand = person.keypoints.get(f"{side}_hand")  # type: ignore[call-overload]
                if hand is None:
                    continue
                ours["hands"] += 1
                for by, (points, right) in there.items():
                    match = nearest(hand.image_px, points)
                    if match is not None:
                        apart[f"hands, {by.title()}"].append(match[1])
                        same_side[by].append((side == "right") == bool(right[match[0]]))
            if "face" in person.keypoints:
                ours["faces"] += 1
                match = nearest(person.keypoints["face"].image_px[:468], kept["face_px"][kept["face_frame"] == frame])
                if match is not None:
                    apart["faces"].append(match[1])
        for points in there["hands"][0]:  # MediaPipe's square in this frame comes from its points in the frame before
            last = nearest(points, earlier)
            if last is not None:
                view = networks.hands(image, HandLook("left", around(earlier[last[0]]), by_palms=False))
                apart["same square"].append(distance(view.hand.image_px, points))
        before, frame = frame, frame + 1
    perception.close()
    print(
        f"{video.name}: {frame} frames; ours {ours}; theirs: {len(kept['right'])} hands, {len(kept['face_px'])} faces"
    )
    for name, values in apart.items():
        if values:
            percent = 100 * np.array(values)
            p50, p90 = np.percentile(percent, [50, 90])
            print(f"  {name}: {len(values)} compared, {p50:.2f} % median, {p90:.2f} % in nine of ten,", end=" ")
            print(f"{100 * (percent <= 2).mean():.0f} % of them within 2 %")
    for by, same in same_side.items():
        if same:
            print(f"  same side as {by.title()}: {100 * np.mean(same):.1f} % of {len(same)}")


def distance(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> float:
    """Return the mean distance of points in sides of the box around theirs."""
    return float(np.linalg.norm(ours - theirs, axis=1).mean() / np.ptp(theirs, axis=0).max())


def nearest(points: NDArray[np.floating], others: NDArray[np.floating]) -> tuple[int, float] | None:
    """Return the index of the nearest of (N, K, 2) others and its distance; None: none is near."""
    away = [distance(points, other) for other in others]
    best = int(np.argmin(away)) if away else -1
    return (best, away[best]) if away and away[best] < NEAR else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=("record", "compare"))
    parser.add_argument("video", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("--people", type=int, default=1)
    options = parser.parse_args()
    {"record": record, "compare": compare}[options.mode](options.video, options.theirs, options.people)


if __name__ == "__main__":
    main()
