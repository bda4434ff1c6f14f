"""Measures memory and CPU time to recover and export a recording of ten hours.

    python -m tests.benchmarks.ten_hours [--frames 1080000] [--folder DIR] [--formats .bvh .csv .npz .glb]

Writes a journal of that many frames of one moving person, as a killed recording leaves it. Finishes it with
`python -m realtime.recover`, then exports the session. Each step is its own process; prints its peak resident memory,
CPU time and output size.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from engine.body.files import load_body
from realtime.outputs.recording.assemble import journal_path
from realtime.outputs.recording.journal import JournalWriter
from realtime.outputs.recording.journal_format import Header, RecordedBody, row_dtype

_RATE_HZ = 30.0
_TOKENS = 42
_BLOCK = 4096


def write_journal(path: Path, frames: int) -> None:
    """Write a person who sways and turns; every number of a row changes, so that compression is realistic."""
    rng = np.random.default_rng(0)
    writer = JournalWriter(path)
    body = RecordedBody.of(load_body("open"))
    writer.begin(Header("0" * 32, _TOKENS, 1.05, (1280, 720), 0.0, 1.4, body, {"smoothing": "light"}))
    speeds, phases = rng.uniform(0.2, 2.0, (24, 3)), rng.uniform(0, 6, (24, 3))
    for start in range(0, frames, _BLOCK):
        seq = np.arange(start, min(start + _BLOCK, frames))
        rows = np.zeros(len(seq), row_dtype(_TOKENS))
        t = seq / _RATE_HZ
        halves = 0.4 * np.sin(speeds * t[:, None, None] + phases)
        turns = np.concatenate([halves, np.ones((len(seq), 24, 1))], axis=-1)
        turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
        rows["t"], rows["seq"], rows["person"], rows["valid"], rows["confidence"] = t, seq, 1, True, 0.9
        rows["rotations"] = rows["raw_rotations"] = turns
        rows["trans"] = rows["raw_trans"] = np.stack([np.sin(t / 3), 0.9 + 0.02 * np.sin(t), np.cos(t / 5)], axis=-1)
        rows["raw_joints"] = rng.normal(0, 1e-3, (len(seq), 24, 3)) + rows["trans"][:, None]
        rows["tokens"] = rng.integers(0, 512, (len(seq), _TOKENS))
        rows["joint_confidence"] = rng.uniform(0, 1, (len(seq), 24))
        writer.append(rows)
    writer.close()


def run(what: str, *arguments: object) -> tuple[int, float]:
    """Run a command of this project; return its peak resident memory in bytes and its CPU seconds."""
    process = subprocess.Popen([sys.executable, "-m", what, *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{what} ended with {process.returncode}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024), usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_080_000)
    parser.add_argument("--folder", type=Path, help="for some 10 GB (default: a temporary one)")
    parser.add_argument("--formats", nargs="+", default=[".glb", ".npz", ".csv", ".bvh"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        session = Path(folder) / "take.npz"
        write_journal(journal_path(session), options.frames)
        print(f"{'':<10}{'resident MB':>12}{'CPU s':>8}{'file MB':>9}")
        for suffix in ("recover", *options.formats):
            out = session if suffix == "recover" else Path(folder) / f"out{suffix}"
            command = ("realtime.recover", session) if suffix == "recover" else ("realtime.export", session, out)
            memory, seconds = run(*command)
            print(f"{suffix:<10}{memory / 1e6:12.0f}{seconds:8.0f}{out.stat().st_size / 1e6:9.0f}", flush=True)
            if out != session:
                out.unlink()


if __name__ == "__main__":
    main()
