"""Holds what avatars know: names of bones and expressions, and the rest pose of VRM's thumbs."""
