"""Holds the exports for gait laboratories, in the axes of the International Society of Biomechanics (ISB)."""
