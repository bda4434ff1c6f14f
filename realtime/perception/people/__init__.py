"""Follows people from frame to frame: finds them, keeps them apart, numbers them, and chooses among them."""
