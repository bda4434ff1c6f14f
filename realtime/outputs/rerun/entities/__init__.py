"""Holds what is shown: people, the camera, curves, and how a recording opens."""
