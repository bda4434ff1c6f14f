"""People on the ground: how large they are, what of their feet stands, on what, and that it stays there."""
