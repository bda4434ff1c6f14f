"""The example receivers, run as a user runs them against a real publisher."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.body.skeleton import PARENTS
from realtime.outputs.output import Run
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.synthetic_stream import BODY, solved_at

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"
SOLVED = solved_at(0.4, 0)
HEAD = SOLVED.people[0].pose.joints[15]


def test_the_python_example_draws_a_figure(tmp_path: Path) -> None:
    picture_file = tmp_path / "figure.png"
    with publishing(lambda seq: SOLVED, Run(BODY)) as port:
        command = [sys.executable, EXAMPLES / "03_stick_figure.py", f"tcp://127.0.0.1:{port}", picture_file]
        subprocess.run(command, check=True, timeout=60)
    picture = cv2.imread(str(picture_file))
    assert picture is not None
    x, y = round(360 + 300 * HEAD[0]), round(648 - 300 * HEAD[1])
    assert picture[y - 4 : y + 5, x - 4 : x + 5].any()  # something is drawn where the head is


def test_the_python_example_knows_where_the_joints_are() -> None:
    example = runpy.run_path(str(EXAMPLES / "03_stick_figure.py"))
    rest = BODY.joints_template
    parents = PARENTS.tolist()
    skeleton = {
        "parents": parents,
        "offsets": np.array([rest[j] - (rest[p] if p >= 0 else 0) for j, p in enumerate(parents)]),
        "shape_offsets": np.zeros((24, 3, 10)),
        "betas": np.zeros(10),
    }
    person = {"betas": np.zeros(10), "trans": rest[0], "rotations": np.tile([0.0, 0.0, 0.0, 1.0], (24, 1))}
    np.testing.assert_allclose(example["joints_of"](person, skeleton), rest, atol=1e-6)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_javascript_example_finds_the_head() -> None:
    with publishing(lambda seq: SOLVED, Run(BODY), "ws://127.0.0.1:0") as port:
        command = ["node", "--experimental-websocket", EXAMPLES / "04_receive.js", f"ws://127.0.0.1:{port}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        line = next((line for line in process.stdout if "head" in line), "")
        process.kill()
        process.communicate()
    told = re.fullmatch(r"person 1: head at (\S+) (\S+) (\S+) m\n", line)
    assert told is not None, line
    np.testing.assert_allclose([float(number) for number in told.groups()], HEAD, atol=1e-3)
