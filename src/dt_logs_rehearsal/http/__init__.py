"""Serve the emulated account over HTTP on the loopback. Open `endpoint` first."""
