"""The example of the client's page, run as a user runs it, beside a real publisher."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from engine.body.skeleton import JOINT_NAMES
from realtime.outputs.output import Run
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.synthetic_stream import BODY, person_at, solved_at
from tests.terminal import ROOT

PACKAGE = ROOT / "clients" / "python"


def test_the_example_of_ten_lines_follows(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert sum(bool(line.strip()) for line in example.splitlines()) <= 10
    with publishing(lambda seq: solved_at(0.7, seq), Run(BODY)) as port:
        (tmp_path / "follow.py").write_text(example.replace(":5555", f":{port}"))
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE / "src")}
        command = [sys.executable, "-u", "follow.py"]
        with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            told = re.fullmatch(r"person 1: head at (\S+) (\S+) (\S+) m\n", program.stdout.readline())
            program.terminate()
    assert told is not None
    head = person_at(0.7).pose.joints[JOINT_NAMES.index("head")]
    np.testing.assert_allclose([float(number) for number in told.groups()], head, atol=0.006)  # two digits
