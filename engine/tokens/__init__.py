"""Pose tokenizers: 21 body rotations to tokens and back. Ours, and the released TokenHMR layout."""
