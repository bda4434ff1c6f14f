"""Renders images of the free body with exact labels."""
