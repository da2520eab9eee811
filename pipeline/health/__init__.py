"""What a machine lacks for this project, and what on it is a trap."""
