"""Streams of solved frames to other programs."""
