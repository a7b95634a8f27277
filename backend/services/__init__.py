"""What the backend does, one class for each noun."""
