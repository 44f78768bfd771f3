"""The network of the page Draw a digit: its training and its still picture."""
