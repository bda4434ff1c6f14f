"""Streams trackers of the body to VRChat (docs.vrchat.com/docs/osc-trackers)."""
