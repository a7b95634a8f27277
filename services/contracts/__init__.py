"""All that services know of each other: the catalog, the shared nouns, and one client per service."""
