"""Tests of the emulated account itself."""
