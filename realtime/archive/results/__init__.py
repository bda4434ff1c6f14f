"""Tells what an archive has found: a record a video, the manifest, the page, the data set."""
