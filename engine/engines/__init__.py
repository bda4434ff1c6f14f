"""Engines: folders with TokenHMR compiled for a device. Builds, checks, runs and measures them."""
