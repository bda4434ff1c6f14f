"""Shows runs and sessions in Rerun (rerun.io): live in its viewer, and as .rrd files (docs/rerun.md)."""
