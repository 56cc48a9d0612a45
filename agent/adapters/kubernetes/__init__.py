"""Everything that knows how Kubernetes spells things: its JSON, and the live API server."""
