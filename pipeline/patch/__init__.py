"""A patch series: its model, its lint, how it applies, and what it reaches."""
