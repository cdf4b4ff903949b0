"""Publish a release to S3: plan it as data, then carry the plan out.

In: a `Release` and its `Destination`s. Out: objects in S3, and what each step came to.

    Release + Destination ─► plan ─► steps in groups ─► publisher ─► what each step came to

A version's objects are written once and never again; `versions.json` and `latest.json`, which
change, are written last, and only over what was just read. Open `plan` first.
"""
