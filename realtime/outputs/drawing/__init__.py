"""Flat drawings on the camera's image: skeletons, status, keys."""
