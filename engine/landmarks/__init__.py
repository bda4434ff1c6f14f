"""The landmark network: from a detector's keypoints to pose tokens, shape and camera."""
