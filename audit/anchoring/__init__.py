"""Where checkpoints are kept that the log's operator cannot quietly change: a folder, a git repository, a bucket, an
object of Kubernetes. An anchor is worth as much as the place is out of reach of whoever could rewrite the log.
"""
