"""The scheduler core at work on a cluster: what the domain's view means to it, and what it foresees."""
