import pytest


@pytest.fixture(autouse=True)
def own_cross_entropy(monkeypatch):
    """Small logits, as in tests, would go to torch's operations, which need no test."""
    monkeypatch.setattr("recurra.models.cross_entropy.MIN_LOGIT_BYTES", 0)
