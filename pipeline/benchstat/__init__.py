"""benchstat as a library and a drop-in command."""
