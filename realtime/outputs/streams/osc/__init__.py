"""Shared by the streams of OSC messages: bundles, datagrams, Unity's frame."""
