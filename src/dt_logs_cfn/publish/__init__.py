"""Publish a release to S3: plan the steps, then carry them out.

In: a `Release` and its `Destination`s. Out: objects in S3, and the result of each step.

    Release ─► publication_plan ─► steps in groups ─► publish, to each Store ─► result of each step

A version's objects are written once. `versions.json` and `latest.json` change; they are written
last, and only if nobody has changed them since they were read. Open `publisher` first.
"""
