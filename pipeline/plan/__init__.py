"""matrix.yml and series.yml become a Plan of frozen values."""
