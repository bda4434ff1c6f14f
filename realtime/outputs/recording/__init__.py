"""Recordings: the journal written during a run, and the session files made of it."""
