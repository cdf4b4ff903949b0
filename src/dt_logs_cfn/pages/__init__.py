"""HTML pages that need nothing else: no font, no image, no script from elsewhere."""
