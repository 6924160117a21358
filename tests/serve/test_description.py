"""The API keeps to its description, whatever is sent."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

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


@pytest.fixture(scope="module")
def described(tiny_bundle):
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(load(tiny_bundle, threads=1), page={}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "method", "examples"),
    [("/v1/captions", "POST", 60), ("/healthz", "GET", 3), ("/readyz", "GET", 3), ("/metrics", "GET", 3)],
)
def test_whatever_is_sent_is_answered_as_described(described, path, method, examples):
    seen = set()

    @given(case=described[path][method].as_strategy())
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def sent(case):
        answer = case.call()
        seen.add(answer.status_code)
        case.validate_response(answer, checks=list(KEPT))

    sent()
    assert seen <= {200, 400, 413, 415, 422}
    assert path != "/v1/captions" or 422 in seen


def test_the_fuzz_covers_every_operation(described):
    assert {operation.ok().path for operation in described.get_all_operations()} == {
        "/v1/captions",
        "/healthz",
        "/readyz",
        "/metrics",
    }
