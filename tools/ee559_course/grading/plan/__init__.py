"""What a practical is graded by: its cells, its hidden tests, its versions."""
