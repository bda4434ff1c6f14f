"""Operators, panels and settings."""
