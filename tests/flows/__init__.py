"""The walks of docs/ARCHITECTURE.md and the drills, on a whole platform started as its users start it."""
