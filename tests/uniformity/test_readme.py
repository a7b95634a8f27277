"""The README's table of ports is the catalog's."""

import re

from services.contracts.catalog import ALL
from tests.uniformity.source import ROOT


def test_the_table_of_ports_is_the_catalogs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Ports\n")[2].partition("\n## ")[0]
    table = {name: int(port) for port, name in re.findall(r"^\| (\d+) \| ([a-z0-9-]+) \|", text, re.M)}
    assert table == {entry.name: entry.port for entry in ALL}
