"""An email whose template is broken is composed later, from the context that it keeps as JSON."""

from typing import Any

import pytest

from app.mail.composing.contexts import from_json, to_json
from app.shop.emails import KINDS

SAMPLES = {f"{kind.name}.{name}": sample for kind in KINDS for name, sample in kind.samples.items()}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_a_context_comes_back_from_json_as_it_was(sample: Any) -> None:
    assert from_json(to_json(sample)) == sample
