"""Training data: motion capture, augmentation, views, crops, and mixtures of image sets."""
