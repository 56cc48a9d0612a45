"""What training processes tell of themselves: a step counter each."""

from agent.adapters.simulated.exporters.sample import Sample
from agent.adapters.simulated.exporters.work import Place, Work
from agent.adapters.simulated.exposition import Labels, labels_of


def series(place: Place, work: Work) -> dict[Labels, Sample]:
    """Grows while the gang is whole and gets on; a new process begins at 0."""
    if work.steps_per_second is None:
        return {}
    namespace, pod = place
    labels = {"namespace": namespace, "pod": pod}
    return {labels_of("train_steps_total", labels): Sample(None, work.steps_per_second)}
