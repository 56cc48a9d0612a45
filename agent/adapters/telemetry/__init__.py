"""What the agent tells of itself: metrics, traces and the process log. None of it is evidence: the audit log is."""
