"""Show a rehearsal's results: `data` holds them, `text` and `page` render them."""
