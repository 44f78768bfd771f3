"""How long a test waits for a page."""

PATIENCE = 120_000  # milliseconds: a busy machine draws slowly, and no test is about time
