"""Estimators: from what perception sees of a person to a pose in the camera frame.

`estimator` is their contract, `landmarks` and `tokenhmr` are the two there are. `memory` is what they keep of one
person; the other modules are their steps. Imports perception and kernel.
"""
