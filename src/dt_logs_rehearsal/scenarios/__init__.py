"""Play what customers do with a release: `catalogue` lists the scenarios; `play` runs one."""
