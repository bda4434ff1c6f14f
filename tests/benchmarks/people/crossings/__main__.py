"""Measures whether people keep their ids as one passes before the other, in twenty composed crossings.

    python -m tests.benchmarks.people.crossings [NUMBER...] [--strip FILE.png]

People are cut out of the labelled clips and put into a picture, so that it is known who is where. Every frame is
perceived, as `--offline` does. `seen` is the least share of the one behind that is not covered.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.command import command
from realtime.kernel.messages import Frame, Sighting
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.gate import Gate
from tests.benchmarks.people.crossings.measures import Crossed, crossed
from tests.benchmarks.people.crossings.scenes import FPS, Crossing, Scene, crossings, played

STRIP = 12  # pictures of a strip


@command("tests.benchmarks.people.crossings")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("numbers", nargs="*", type=int, metavar="NUMBER", help="0 to 19", default=range(20))
    parser.add_argument("--strip", type=Path, metavar="FILE.png", help="pictures of the crossings, with ids")
    given = parser.parse_args()
    columns = (
        "crossing | frames | seen % | switches (ids) | found %, front | behind | frames unfound | bodies of nobody"
    )
    print(f"| {columns} | CPU ms |")
    print("|---|---|---|---|---|---|---|---|---|")
    every = crossings()
    counts, strips = [], []
    for number in given.numbers:
        each = every[number]
        scenes = list(played(each))
        begun_s = time.process_time()
        sightings = perceived(scenes)
        counts.append(measured(scenes, sightings))
        cpu_ms = (time.process_time() - begun_s) * 1e3 / len(scenes)
        _print(number, each, scenes, counts[-1], cpu_ms)
        if given.strip is not None:
            strips.append(_strip(scenes, sightings))
    wanted = sum(sum(each.frames.values()) for each in counts)
    found = sum(sum(each.found.values()) for each in counts)
    switches, ghosts = sum(each.switches for each in counts), sum(each.ghosts for each in counts)
    print(f"{switches} switches in {len(counts)} crossings, ", end="")
    print(f"found {100 * found / wanted:.1f} %, {ghosts} bodies of nobody")
    if given.strip is not None:
        cv2.imwrite(str(given.strip), np.vstack(strips))


def perceived(scenes: list[Scene]) -> list[Sighting]:
    """Return who is found in each frame, of two people at most."""
    perception, gate = create_perception(PerceptionConfig(max_people=2)), Gate(holds=True)
    sightings: list[Sighting] = []
    for k, scene in enumerate(scenes):
        sightings += gate.let_through(perception.observe(Frame(scene.image_bgr, k, k / FPS)))
    sightings += gate.finish()
    perception.close()
    return sightings


def measured(scenes: list[Scene], sightings: list[Sighting]) -> Crossed:
    """Compare what was found with the truth."""
    told = ({person.id: person.keypoints["body"].image_px for person in each.people} for each in sightings)
    return crossed(zip((scene.truth for scene in scenes), told, strict=True))


def _print(number: int, crossing: Crossing, scenes: list[Scene], counts: Crossed, cpu_ms: float) -> None:
    front, behind = crossing.front, crossing.behind
    least = min(scene.truth[behind].seen for scene in scenes)
    found = [100 * counts.found[name] / counts.frames[name] for name in (front, behind)]
    unfound = max(counts.unfound.values(), default=0)
    ids = " / ".join(" ".join(map(str, counts.ids.get(name, []))) for name in (front, behind))
    turns = ", turns back" if crossing.turns_back else ""
    print(
        f"| {number}: {front} before {behind}, {crossing.pause_s:g} s{turns} | {len(scenes)} | {100 * least:.0f} "
        f"| {counts.switches} ({ids}) | {found[0]:.0f} | {found[1]:.0f} | {unfound} | {counts.ghosts} | {cpu_ms:.0f} |",
        flush=True,
    )


def _strip(scenes: list[Scene], sightings: list[Sighting]) -> NDArray[np.uint8]:
    """Draw some of the frames side by side, with everybody's box and id."""
    pictures = []
    for k in np.linspace(0, len(scenes) - 1, STRIP).astype(int):
        image = scenes[k].image_bgr.copy()
        for person in sightings[k].people:
            x0, y0, x1, y1 = person.box_xyxy.round().astype(int).tolist()
            colour = ((60, 200, 60), (60, 60, 240), (240, 160, 30), (200, 60, 200))[person.id % 4]
            cv2.rectangle(image, (x0, y0), (x1, y1), colour, 5)
            cv2.putText(image, str(person.id), (x0, y0 - 8), cv2.FONT_HERSHEY_SIMPLEX, 2.0, colour, 6)
        pictures.append(cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    half = STRIP // 2
    return np.asarray(np.vstack([np.hstack(pictures[:half]), np.hstack(pictures[half:])]), np.uint8)


if __name__ == "__main__":
    sys.exit(main())
