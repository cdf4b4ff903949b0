"""Show a rehearsal's results: `data` holds them, and `page` renders them as HTML."""
