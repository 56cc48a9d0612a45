"""What of an object never leaves for a model: values that people put passwords into. Pure.

Secrets and ConfigMaps are in no view. What is left are the environment and the command lines of containers, and the
copy of the whole manifest that kubectl keeps in an annotation.
"""

from collections.abc import Mapping
from typing import Any, Final

MASKED: Final = "(masked)"
_LEFT_OUT: Final = frozenset({"managedFields", "kubectl.kubernetes.io/last-applied-configuration"})
_MASKED: Final = frozenset({"env", "args", "command"})


def without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): MASKED if key in _MASKED else without_secrets(each)
            for key, each in value.items()
            if key not in _LEFT_OUT
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each) for each in value]
    return value
