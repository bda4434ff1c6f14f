"""Faces: from 478 points to the head's rotation, the gaze, and the 52 coefficients under ARKit's names.

`rig` holds the neutral face and the expressions, `head` the fit of the head, `neck` its way into the body.
`expression`, `lids` and `gaze` measure, `neutral` is a person's face at rest. `memory` is the state of a person between
frames, `completion` the whole, `support` what can be relied on.
"""
