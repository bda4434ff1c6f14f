"""The camera from its pictures: field of view, tilt and roll, and how far each is to be trusted."""
