"""The example of the client's page, run as a user runs it, beside a real publisher and a real run."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.body.skeleton import JOINT_NAMES
from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.outputs.output import Run
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.sockets import can_listen
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.realtime.run.test_streamed_run import joints, streaming
from tests.terminal import ROOT

TWO_DIGITS = 0.006
SEEN = 40  # frames
PACKAGE = ROOT / "clients" / "python"


@contextlib.contextmanager
def example(port: int, folder: Path) -> Iterator[Iterator[tuple[float, ...]]]:
    """Run the page's example; gives the places that it prints."""
    (code,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 10
    (folder / "follow.py").write_text(code.replace(":5555", f":{port}"))
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE / "src")}
    command = [sys.executable, "-u", "follow.py"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            yield (_place(line) for line in program.stdout)
        finally:
            program.terminate()


def _place(line: str) -> tuple[float, ...]:
    told = re.fullmatch(r"person \d+: head at (\S+) (\S+) (\S+) m\n", line)
    assert told is not None, line
    return tuple(float(number) for number in told.groups())


def test_the_example_of_ten_lines_follows(tmp_path: Path) -> None:
    with publishing(lambda seq: solved_at(0.7, seq), Run(BODY)) as port, example(port, tmp_path) as places:
        place = next(places)
    head = person_at(0.7).pose.joints[JOINT_NAMES.index("head")]
    np.testing.assert_allclose(place, head, atol=TWO_DIGITS)


def test_it_follows_a_run_of_the_demo(tmp_path: Path) -> None:
    """The program as a user starts it; another subscriber knows where heads were, by forward kinematics of its own."""
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)
    port = next(port for port in range(5700, 5800) if can_listen(port))
    command = ("--demo", "--stream", f"zmq://127.0.0.1:{port}")
    with streaming(*command) as (_, messages), example(port, tmp_path) as places:
        heads: list[np.ndarray] = []
        found: list[tuple[float, ...]] = []
        reader = threading.Thread(target=lambda: found.extend(itertools.islice(places, SEEN)))
        reader.start()
        skeleton: dict[str, Any] = {}
        until = time.monotonic() + 60
        while reader.is_alive() and time.monotonic() < until:
            topic, fields = next(messages)
            skeleton = fields if topic == "skeleton" else skeleton
            if topic == "pose" and skeleton:
                heads += [joints(skeleton, person)[JOINT_NAMES.index("head")] for person in fields["people"]]
    reader.join()
    assert len(found) == SEEN
    away_m = np.abs(np.array(found)[:, None] - np.array(heads)).max(-1).min(-1)
    assert away_m.max() <= TWO_DIGITS
    assert np.ptp(np.array(found)[:, 1]) > 0.02  # it moves
