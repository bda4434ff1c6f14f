"""TokenHMR (CVPR 2024): from a crop of an image to pose tokens, shape and camera."""
