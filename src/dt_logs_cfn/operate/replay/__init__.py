"""Announce the log objects of a time window again, through the topics that first announced them.

sources, window ─► replaying: count, confirm ─► sending
"""
