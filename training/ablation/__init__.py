"""Ablations: one network trained many times, each time with something changed."""
