"""Check whether we released a template or handler, and who signed its release.

In: an untrusted file, URL or S3 object. Out: a `Verdict` and a `Provenance`.

    source ─► rebuild (build it again and compare) ─► Verdict
           └► provenance (signature, catalogue) ─► Provenance

Open `rebuild` first. `fetching` downloads from a URL within limits.
"""
