"""Training of the rotation filter's gains."""
