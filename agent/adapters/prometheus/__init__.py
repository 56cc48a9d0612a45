"""What Prometheus knows: reads for the judges (client.py), and the agent's own look at each scrape (detect.py)."""
