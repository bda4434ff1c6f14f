"""The rig of a face: its neutral points and units, the fit of a head to it, and the solver for the units."""
