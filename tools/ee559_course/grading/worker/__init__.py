"""What a worker does with one submission: prepare it, run it twice, mark it."""
