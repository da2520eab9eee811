"""A run from its plan to its folder: the stages in order."""
