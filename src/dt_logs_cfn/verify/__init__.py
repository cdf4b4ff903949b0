"""Check whether a template or a handler is one that we released, and who signed it.

In: an untrusted file, URL or S3 object. Out: a `Verdict` and a `Provenance`.

    source ─► rebuild (build it again and compare) ─► Verdict
           └► provenance (signature, catalogue) ─► Provenance

Open `rebuild` first. `fetching` downloads from a URL within limits.
"""
