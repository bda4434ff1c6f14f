"""Bodies in SMPL's format, in numpy: files, skeleton, kinematics, skinning, rotations, cameras."""
