"""Console script of the installed package: `tokenmocap` equals `python run_live.py` in a checkout."""

from __future__ import annotations

from engine.command import ctrl_c_ends_at_once


def main() -> int:
    """Run the command line; see `run_live.main`."""
    ctrl_c_ends_at_once()  # before the imports below, which take seconds
    import run_live

    return run_live.main()
