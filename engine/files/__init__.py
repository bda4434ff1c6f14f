"""Files of networks and bodies, read without running anything in them, and written whole or not at all."""
