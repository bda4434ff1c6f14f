"""Outputs of a run: viewer, streams, recordings, films; and exports of recordings."""
