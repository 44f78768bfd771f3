"""Pages that are read: feedback for students, a report for the instructor."""
