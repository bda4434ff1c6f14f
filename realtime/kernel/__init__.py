"""Threads, channels, child processes, timings, records that flow between stages, and the state kept for a person."""
