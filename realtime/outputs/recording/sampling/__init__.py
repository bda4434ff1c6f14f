"""Samples the rows of a journal for the session file: smoothed both ways in time, at a uniform rate."""
