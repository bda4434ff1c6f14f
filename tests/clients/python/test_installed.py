"""The built wheel in an environment of its own, without the project, against a real run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from realtime.assets import DEMO_CLIP, POSE_LANDMARKS_FULL, fetch
from realtime.outputs.output import Run
from tests.clients.python.conftest import PACKAGE
from tests.realtime.outputs.streams.publishing import publishing
from tests.realtime.outputs.streams.sockets import can_listen
from tests.realtime.outputs.streams.synthetic_stream import BODY
from tests.realtime.outputs.streams.test_examples import HEAD, SOLVED

ROOT = Path(__file__).resolve().parents[3]
NO_DISPLAY = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
FOLLOW = """
import json, sys
from tokenmocap_client import connect
for frame in connect(sys.argv[1], timeout_s=60):
    people = [{"id": p.id, "joints": p.joints.tolist(), "rotations": p.rotations.tolist()} for p in frame.people]
    print(json.dumps({"seq": frame.seq, "people": people}), flush=True)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel, pyzmq and numpy, and nothing else."""
    source, wheels, fresh = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "fresh"))
    shutil.copytree(PACKAGE, source / "client", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "-w", str(wheels), str(source / "client")], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(fresh)], check=True)
    folder = "Scripts" if os.name == "nt" else "bin"
    made = fresh / folder / ("python.exe" if os.name == "nt" else "python")
    asked = [str(made), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    for package in ("zmq", "pyzmq*", "numpy", "numpy.libs", "numpy-*.dist-info"):  # as pip would fetch them
        for part in Path(sysconfig.get_path("platlib")).glob(package):
            (site / part.name).symlink_to(part)
    subprocess.run([str(made), "-m", "pip", "install", "-q", "--no-index", str(wheel)], check=True)
    return made


def test_the_wheel_stands_alone_and_is_typed(python: Path, tmp_path: Path) -> None:
    code = """
import importlib.util, pathlib, tokenmocap_client
print((pathlib.Path(tokenmocap_client.__file__).parent / "py.typed").exists())
print([importlib.util.find_spec(name) for name in ("engine", "realtime", "scipy")])
"""
    done = subprocess.run([str(python), "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[None, None, None]"]


def test_it_receives_a_real_run(python: Path, tmp_path: Path) -> None:
    """Joints that the client finds are those of the recording."""
    fetch(POSE_LANDMARKS_FULL)
    fetch(DEMO_CLIP)
    port = next(port for port in range(5600, 5700) if can_listen(port))
    session = tmp_path / "s.npz"
    client = subprocess.Popen(
        [str(python), "-c", FOLLOW, f"tcp://127.0.0.1:{port}"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        command = [sys.executable, str(ROOT / "run_live.py"), "--view", "none", "--demo", "--seconds", "4"]
        command += ["--smoothing", "off", "--feet", "off", "--record", str(session)]
        command += ["--stream", f"zmq://127.0.0.1:{port}"]
        run = subprocess.run(command, env=NO_DISPLAY, capture_output=True, text=True, check=False, timeout=120)
        assert run.returncode == 0, run.stderr
    finally:
        client.terminate()
        said, _ = client.communicate()
    frames = [json.loads(line) for line in said.splitlines() if line.endswith("}")]
    with np.load(session) as recorded:
        raw = dict(zip(recorded["raw_seq"].tolist(), recorded["raw_joints"], strict=True))
        turns = dict(zip(recorded["raw_seq"].tolist(), recorded["raw_rotations"], strict=True))
    seen = [(frame["seq"], frame["people"][0]) for frame in frames if frame["people"]]
    assert len(seen) > 10
    for seq, person in seen:
        assert np.abs(np.array(person["joints"]) - raw[seq]).max() < 1e-3
        assert np.abs(np.abs(np.sum(person["rotations"] * turns[seq], axis=-1)) - 1).max() < 1e-4


def test_the_example_of_its_page_finds_the_head(python: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert len(example.strip().splitlines()) == 9
    with publishing(lambda seq: SOLVED, Run(BODY)) as port:
        code = example.replace("tcp://127.0.0.1:5555", f"tcp://127.0.0.1:{port}")
        follower = subprocess.Popen([str(python), "-u", "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        assert follower.stdout is not None
        line = follower.stdout.readline()
        follower.terminate()
        follower.communicate()
    told = re.fullmatch(r"person 1: head at (\S+) (\S+) (\S+) m\n", line)
    assert told is not None, line
    np.testing.assert_allclose([float(number) for number in told.groups()], HEAD, atol=0.006)
