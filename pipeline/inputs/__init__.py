"""Every form in which a contributor has a series: folder, file, pipe, clone, or a change under review."""
