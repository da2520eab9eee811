"""What goes to Go: the commit message and the pull request's description."""
