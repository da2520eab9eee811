"""What is told to GitHub: one comment on a pull request, and one check on a commit."""
