"""Solves one video in a worker's process, whole or ahead in parts."""
