"""Measures how people are found and told apart in labelled clips: coverage, ghosts, changes of identity.

    python -m tests.benchmarks.people [CLIP...] [--people N]

Every frame is perceived, as `--offline` does; every tenth is compared with labels.csv.
"""

from __future__ import annotations

import argparse
import sys
import time

import cv2
import numpy as np

from engine.command import command
from realtime.assets import fetch
from realtime.kernel.messages import Frame, Sighting
from realtime.perception import PerceptionConfig, create_perception
from realtime.perception.gate import Gate
from tests.benchmarks.people.labels import CLIPS, labels_of
from tests.benchmarks.people.measures import Found, Tally, tally


@command("tests.benchmarks.people")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="*", metavar="CLIP", help=", ".join(CLIPS), default=list(CLIPS))
    parser.add_argument("--people", type=int, default=4)
    given = parser.parse_args()
    print(f"{'clip':10}{'person':>10}{'labels':>8}{'found':>7}{'%':>7}  ids")
    counts = []
    for clip in given.clips:
        found, cpu_ms = perceived(clip, given.people)
        counts.append(tally(labels_of(clip), found))
        _print(clip, counts[-1])
        print(
            f"{clip:10}{'ghosts':>10}{counts[-1].people:>8}{counts[-1].ghosts:>7}{'':7}  {cpu_ms:.1f} ms of CPU a frame"
        )
    wanted, found_, people = (sum(values) for values in zip(*map(_sums, counts), strict=True))
    ghosts, switches = sum(each.ghosts for each in counts), sum(each.switches for each in counts)
    print(
        f"found {100 * found_ / wanted:.1f} % of {wanted}, ghosts {100 * ghosts / people:.1f} % of {people}, ", end=""
    )
    print(f"{switches} changes of identity")


def perceived(clip: str, people: int) -> tuple[dict[int, Found], float]:
    """Return everybody found, by frame, and the CPU time of a frame, ms."""
    perception, gate = create_perception(PerceptionConfig(max_people=people)), Gate(holds=True)
    capture = cv2.VideoCapture(str(fetch(CLIPS[clip])))
    fps = capture.get(cv2.CAP_PROP_FPS)
    sightings: list[Sighting] = []
    begun_s, seq = time.process_time(), 0
    while capture.grab():
        image = np.asarray(capture.retrieve()[1], np.uint8)
        sightings += gate.let_through(perception.observe(Frame(image, seq, seq / fps)))
        seq += 1
    sightings += gate.finish()
    cpu_ms = (time.process_time() - begun_s) * 1e3 / seq
    capture.release()
    perception.close()
    return {each.frame.seq: {person.id: person.box_xyxy for person in each.people} for each in sightings}, cpu_ms


def _print(clip: str, counts: Tally) -> None:
    for person, wanted in counts.wanted.items():
        found = counts.found[person]
        ids = " ".join(map(str, counts.ids[person]))
        print(f"{clip:10}{person:>10}{wanted:>8}{found:>7}{100 * found / wanted:>7.0f}  {ids}")


def _sums(counts: Tally) -> tuple[int, int, int]:
    return sum(counts.wanted.values()), sum(counts.found.values()), counts.people


if __name__ == "__main__":
    sys.exit(main())
