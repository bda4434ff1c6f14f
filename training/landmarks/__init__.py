"""Trains the landmark estimator on simulated detections."""
