"""Faces: from 478 points to the head's rotation, the gaze, and the 52 coefficients under ARKit's names.

`rig` holds the neutral face and what each expression does to it, `head` the fit of the head, `neck` its way into the
body, `expression` and `lids` the coefficients, `gaze` the eyes, `neutral` a person's face at rest, `memory` the state
of a person between frames, `completion` the whole. `blendshape_network` is a user's own network for the coefficients.
"""
