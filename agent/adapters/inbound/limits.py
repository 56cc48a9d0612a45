"""How much one delivery may bring. A number on everything that a stranger chooses."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    max_body_bytes: int = 4 * 1024 * 1024  # a webhook of 1,000 alerts with long annotations is about 2 MiB
    max_alerts: int = 1_000  # Alertmanager's own default is no limit; a group of more is a storm anyway
    max_events: int = 5_000  # CloudEvents in a batch, corev1 Events in a list
    max_lines: int = 10_000  # log lines of one push
    max_samples: int = 200_000  # metric lines of one push: about 200 nodes of dcgm-exporter
    max_labels: int = 64  # Prometheus' usual label_limit
    max_label_chars: int = 1_024
    max_name_chars: int = 253  # of an object, as Kubernetes has it; it becomes a key, a label and a line in a chat
    max_text_chars: int = 8_192  # of a message, an annotation or a log line; more is cut off, it is only evidence


LIMITS = Limits()
