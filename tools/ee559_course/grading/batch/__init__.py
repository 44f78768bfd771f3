"""A whole batch: workers side by side, here or on a cluster, and one process that writes."""
