"""Streams bones and expressions in the VMC protocol (protocol.vmc.info)."""
