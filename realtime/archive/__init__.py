"""Solves archives: folders and lists of videos, by several processes or machines, with resume and a manifest."""
