"""Announce the log objects of a time window again, through the topics of their locations.

sources, window ─► replaying: count, confirm, send
"""
