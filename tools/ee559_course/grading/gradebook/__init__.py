"""Marks that stay: nbgrader's gradebook, records and logs."""
