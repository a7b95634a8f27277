"""Other systems, run beside ours for comparison; each in an environment of its own."""
