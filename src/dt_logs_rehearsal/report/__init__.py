"""Show what a rehearsal saw: `data` holds it, `text` and `page` render it."""
