"""The sections of `benchmarks/gpu.py`: products of the lecture's part H, and trainings of practical 4."""
