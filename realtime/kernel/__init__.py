"""Threads, channels, child processes, timings, and the records that flow between stages."""
