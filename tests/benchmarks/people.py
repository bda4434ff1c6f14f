"""Prints the people found in a clip, their duration and confidence, and which of them are ghosts.

`python -m tests.benchmarks.people VIDEO [--people N] [--empty 0-60,196-219]`, offline with default settings. `--empty`
gives ranges of frames without people: a body there is a ghost.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from engine.command import command
from realtime.capture.source import SourceConfig
from realtime.kernel.messages import Person, SolvedFrame
from realtime.perception.config import PerceptionConfig
from realtime.run.app import App
from realtime.run.config import LiveConfig


@command("tests.benchmarks.people")
def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--people", type=int, default=1)
    parser.add_argument("--empty", type=_ranges, default=(), metavar="FROM-TO,...")
    given = parser.parse_args()
    seen: list[tuple[int, Person]] = []

    def note(solved: SolvedFrame) -> None:
        seen.extend((solved.frame.seq, person) for person in solved.people if person.valid)

    config = LiveConfig(
        source=SourceConfig(video=given.video),
        perception=PerceptionConfig(max_people=given.people),
        view="none",
        offline=True,
    )
    report = App(config, on_solved=note).run()
    ghosts = {seq for seq, _ in seen if any(first <= seq <= last for first, last in given.empty)}

    counts = f"{report.frames_in} frames, {report.frames_solved} with somebody, {len(ghosts)} of them ghosts"
    print(f"{given.video.name}: {counts}")
    print(f"{'person':>6}{'from':>7}{'to':>7}{'rows':>7}{'confidence':>12}{'lowest joint m':>16}{'5 % below':>11}")
    for who in report.people:
        frames = [seq for seq, person in seen if person.id == who.id]
        lowest_m = [float(person.pose.joints[:, 1].min()) for _, person in seen if person.id == who.id]
        print(
            f"{who.id:>6}{frames[0]:>7}{frames[-1]:>7}{who.frames:>7}{who.mean_confidence:>12.2f}"
            f"{min(lowest_m):>16.2f}{np.quantile(lowest_m, 0.05):>11.2f}"
        )


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (part.split("-") for part in text.split(","))
    return tuple((int(first), int(last)) for first, last in pairs)


if __name__ == "__main__":
    sys.exit(main())
