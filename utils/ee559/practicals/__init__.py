"""Checks of the practicals' parts, to run at any time: from ee559.practicals import sizes; sizes.check(output_size)."""
