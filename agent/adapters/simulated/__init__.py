"""The simulated world behind the ports: a Kubernetes API, its controllers, Prometheus and the site's repair system.

One seed, simulated time, nothing sleeps. `world.py` is the door; what the agent may ask is in `agent.ports`.
"""
