"""A door and an issuer for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.web.issuer import local_issuer
from tests.agent.web.web_site import WebSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    with local_issuer() as issuer:
        made = WebSite(tmp_path, issuer)
        yield made
        made.close()
