"""Emulate Lambda: run a function in its own process, which talks to a local Runtime API."""
