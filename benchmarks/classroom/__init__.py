"""What the benchmarks of grading share: a class that hands in, a clock for whole commands, and other graders."""
