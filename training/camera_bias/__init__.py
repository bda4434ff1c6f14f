"""Measures the bias of the wrong camera (TokenHMR, section 3) and tests TALS against the plain loss."""
