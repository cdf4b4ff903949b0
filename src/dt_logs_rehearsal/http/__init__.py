"""Serve the emulated account over HTTP on the loopback. Start with `endpoint`."""
