"""The build of the static site."""
