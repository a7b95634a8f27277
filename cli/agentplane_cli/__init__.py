"""The verbs of the agentplane command, one file per noun."""
