"""Grade what students hand in: fast, confined, and without losing anything."""
