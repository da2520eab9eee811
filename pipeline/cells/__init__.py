"""Where a cell's programs run: this machine, or a container on a Docker host."""
