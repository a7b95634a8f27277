"""Replay: calls answered from what was recorded; keys, masks, matching, forks."""
