"""Estimators: from what perception sees of a person to a pose in the camera frame."""
