"""People on the ground: their sizes, what of their feet stands, on what, and that it stays there.

`feet` is one person's, made of `contacts`, `supports` and `foot_lock`. `grounding` and `stature` are about all people
of a frame, who share one floor. Imports world and kernel.
"""
