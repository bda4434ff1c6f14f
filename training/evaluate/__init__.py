"""Evaluates networks by the paper's protocols: image sets, poses, videos."""
