"""The same archive by a Ray cluster of two nodes on this machine, of which one is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.archive.__main__ import differences, made
from tests.benchmarks.archive.nodes import Cluster
from tests.realtime.archive.clips import write_person
from tests.realtime.archive.test_archive_command import archive
from tests.terminal import ROOT

pytest.importorskip("ray", reason="pip install -r requirements-archive.txt")


def test_a_node_that_is_killed_costs_only_what_it_held(tmp_path: Path) -> None:
    clips, alone, out = tmp_path / "in", tmp_path / "alone", tmp_path / "out"
    for number in range(4):
        write_person(clips / f"{number}.mp4", first=5 * number)
    (clips / "empty.mp4").write_bytes(b"")
    assert archive(clips, alone).returncode == 1
    flags = ("--fov", "50", "--pitch", "0", "--roll", "0", "--keep-free", "0")
    command = [sys.executable, "-m", "realtime.archive", str(clips), str(out), *flags]
    with Cluster() as cluster:
        process = subprocess.Popen([*command, "--ray", cluster.address], cwd=ROOT, env=cluster.environment)
        while process.poll() is None and not made(out):
            time.sleep(0.1)
        done = made(out)
        cluster.kill_second_node()
        assert process.wait() == 1
    assert differences(alone, out) == []
    assert done.items() <= made(out).items()


def test_an_address_without_ray_is_one_line(tmp_path: Path) -> None:
    write_person(tmp_path / "in" / "a.mp4", count=2)
    done = archive(tmp_path / "in", tmp_path / "out", "--ray", "127.0.0.1:9")
    assert done.returncode == 2
    assert "cannot reach Ray at 127.0.0.1:9" in done.stderr.splitlines()[-1]
