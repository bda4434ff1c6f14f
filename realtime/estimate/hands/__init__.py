"""Hands: from 21 landmarks to the rotations of 15 finger joints, and of the wrist and the forearm.

`joints` is the model, `fit` its fit to landmarks, `wrist` the arm's share, `memory` the state of a person between
frames, `completion` the whole.
"""
