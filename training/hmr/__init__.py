"""Trains TokenHMR's second stage: from images to pose tokens, shape and camera."""
