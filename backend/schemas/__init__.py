"""What the public API takes and answers."""
