"""Playbooks from YAML, with CEL conditions. The CEL library is imported here alone."""
