"""Trains pose tokenizers and measures their reconstruction."""
