"""Makes the free body from MakeHuman's CC0 shapes."""
