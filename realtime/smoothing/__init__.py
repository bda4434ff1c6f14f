"""Smoothing of one person's poses in time: live filters, rest for hidden limbs, short losses.

`both_ways` smooths a trajectory whose future is known; `look_ahead` holds the frames of a file until it is. Imports
estimate and kernel.
"""
