"""Statistics of ImageNet's pixels, by which the network's input is normalised."""

from __future__ import annotations

import numpy as np

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # RGB in 0..1
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
