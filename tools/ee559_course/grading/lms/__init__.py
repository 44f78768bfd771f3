"""Files that learning platforms import."""
