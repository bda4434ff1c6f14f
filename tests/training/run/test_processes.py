"""Several processes of one machine: who listens, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from training.processes import main

ROOT = Path(__file__).parents[3]

LISTENS = """
import sys
from pathlib import Path
import psutil
from training.run.accelerator import open_accelerator
accelerator = open_accelerator("no", 2)
accelerator.wait_for_everyone()
family = [psutil.Process(), *psutil.Process().parents()[:1]]
found = [c for p in family for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
Path(sys.argv[1], str(accelerator.process_index)).write_text(" ".join(c.laddr.ip for c in found))
accelerator.wait_for_everyone()
"""


def test_nothing_listens_beyond_loopback(tmp_path: Path) -> None:
    (tmp_path / "listens.py").write_text(LISTENS)
    done = subprocess.run(
        [sys.executable, "-m", "training.processes", "2", "listens", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for rank in "01":
        assert set((tmp_path / rank).read_text().split()) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_one_that_fails_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fails.py").write_text(
        "import os, sys, time\nif os.environ['RANK'] == '0': sys.exit(3)\ntime.sleep(600)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert main(["3", "fails"]) == 3
    assert not [child for child in psutil.Process().children() if "fails" in " ".join(child.cmdline())]


def test_no_process_at_all_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["0", "training.hmr"]) == 2
    assert capsys.readouterr().err == "training.processes: 0 processes cannot train: give 1 or more\n"
