"""What surrounds every request: who asks, how often, and what is recorded."""
