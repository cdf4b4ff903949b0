"""Read, deploy, follow and remove one stack.

deploying    deployment ─► change_sets ─► confirmed? ─► following
removing     marks_read ─► marks ─► confirmed? ─► following ─► marks_read
"""
