"""Authors' tools for the lectures: the linter, and the ledger of slides."""
