"""Streams one person to humanoid robots in the SONIC protocol, behind a guard (docs/robots.md)."""
