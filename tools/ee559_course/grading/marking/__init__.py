"""Marks: answers judged by their values, and the graded notebook."""
