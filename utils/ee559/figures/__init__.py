"""The interactive and still figures of the lectures, a module for each subject."""
