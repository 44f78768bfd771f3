"""Run a student's notebook in a process of its own, and bring back what it shows and answers."""
