"""Announce the log files of a time window again, through the topics of their locations.

sources, window ─► replaying: count, confirm, send
"""
