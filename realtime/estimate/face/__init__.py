"""Faces: from 478 points to the head's rotation, the gaze, and the 52 coefficients under ARKit's names.

`engine.face` holds the rig, its solver and the fit of the head; `neck` is the head's way into the body. `lids` and
`gaze` measure, `neutral` is a person's face at rest. `memory` is the state of a person between
frames, `completion` the whole, `support` what can be relied on.
"""
