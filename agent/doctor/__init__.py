"""`watchkeeper doctor`: is everything there that the agent needs, and if not, what mends it? It changes nothing.

Each check is a function that asks one thing and answers with findings; what cannot be asked is itself a finding.
"""
