"""Exports every session file of a folder: python examples/05_export.py FOLDER [.bvh .glb ...]

The formats are those of `python -m realtime.export`: docs/session-format.md#exports
"""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def main(folder, *endings):
    """Write one file a session and ending, beside the session; leave existing files alone."""
    for session in sorted(Path(folder).resolve().glob("*.npz")):
        for ending in endings or [".bvh"]:
            out = session.with_suffix(ending)
            if not out.exists():
                subprocess.run([sys.executable, "-m", "realtime.export", session, out], cwd=PROJECT, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
