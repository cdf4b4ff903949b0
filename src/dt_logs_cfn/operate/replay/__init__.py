"""Announce the log objects of a time window again, through the topics that announced them first.

`replaying` reads a stack, counts, asks and sends. It takes the locations from `sources`, the time
from `window`, the logs and their events from `objects`, and sends by `sending`. The result is an
`outcome`.
"""
