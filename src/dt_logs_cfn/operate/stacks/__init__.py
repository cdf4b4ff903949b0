"""One stack: what it is, and how it is deployed, followed and removed.

deploying    deployment ─► change_sets ─► review ─► confirmed? ─► following
removing     marks_read ─► marks ─► confirmed? ─► deploying.delete ─► marks_read
"""
