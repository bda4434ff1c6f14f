"""Smoothing in time: live and both-ways filters, and rest for hidden limbs."""
