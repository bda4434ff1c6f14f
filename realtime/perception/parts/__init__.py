"""Measures hands and faces of people whose bodies are known."""
