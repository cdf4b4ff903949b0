"""Publishing a release: the plan as data, and carrying it out on S3.

    Release + Destination ─► plan ─► steps in groups ─► publisher ─► what each step came to

A version's objects are written once and never again; `versions.json` and `latest.json`, which
change, are written last, and only over what was just read.
"""
