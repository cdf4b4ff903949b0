"""Announce the log objects of a time window again, through the topics that announced them first.

sources, window ─► replaying: count, confirm ─► sending
"""
