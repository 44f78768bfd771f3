"""Authors' and instructors' tools for the practicals: release, bundle, answer bank, mutation."""
