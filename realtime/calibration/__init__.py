"""Estimates the camera from its images: field of view, tilt and roll, with the uncertainty of each."""
