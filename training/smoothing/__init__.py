"""Training of the rotation filter's tuner."""
