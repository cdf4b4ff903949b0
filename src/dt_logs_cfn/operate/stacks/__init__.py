"""One stack: what it is, and how it is deployed, followed and removed.

deploying    diff, proposing ─► change_sets ─► confirmed? ─► following ─► events
removing     marks_read ─► marks ─► confirmed? ─► deleting ─► following ─► marks_read
"""
