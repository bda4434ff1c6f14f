"""Bodies in torch, differentiable: the names and signatures of `engine.body`."""
