"""What was handed in: found, read whatever it is, repaired where that is certain."""
