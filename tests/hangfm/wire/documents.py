"""JSON of any kind, and what was recorded."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def recorded(name: str) -> list[dict[str, Any]]:
    """Return the rows of a sample; its first line says where and when it was recorded."""
    lines = (Path(__file__).parent / "samples" / name).read_text(encoding="utf-8").splitlines()
    about, *rows = [json.loads(line) for line in lines]
    assert about.keys() == {"recorded"}
    return rows
