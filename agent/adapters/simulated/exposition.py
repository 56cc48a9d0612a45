"""Prometheus text exposition into samples, by prometheus_client's parser. Bad text is one error that names the line."""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]  # sorted, __name__ among them


def samples_of(text: str) -> Iterator[tuple[Labels, float]]:
    """Raises ValueError. Time stamps in the text are ignored: a sample counts from when it is set."""
    try:
        for family in text_string_to_metric_families(text if text.endswith("\n") else text + "\n"):
            for sample in family.samples:
                yield labels_of(sample.name, sample.labels), float(sample.value)
    except (ValueError, KeyError, IndexError) as wrong:
        raise ValueError(f"metrics: {_bad_line(text)}: {wrong}") from wrong


def labels_of(name: str, labels: dict[str, str]) -> Labels:
    return tuple(sorted({**labels, "__name__": name}.items()))


def _bad_line(text: str) -> str:
    """The first line that the parser does not take by itself."""
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            list(text_string_to_metric_families(line + "\n"))
        except (ValueError, KeyError, IndexError):
            return f"line {number} {line[:120]!r}"
    return "the text"
