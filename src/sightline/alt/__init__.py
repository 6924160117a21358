"""Images without an alt text in a site's pages, and the photos that they show; one file a syntax."""
