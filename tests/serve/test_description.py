"""The API keeps to its description, whatever is sent."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from sightline.captioner import load
from sightline.serve.app import create_app

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

KEPT = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture
def described(tiny_bundle, tmp_path):
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(load(tiny_bundle), page=tmp_path))


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(
    max_examples=25, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_whatever_is_sent_is_answered_as_described(case):
    case.call_and_validate(checks=list(KEPT))
