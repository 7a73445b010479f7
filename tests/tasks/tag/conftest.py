"""What the tests of this task share."""

import pytest

from tests.support.tag_runs import tiny_config, write_entities, write_parts


@pytest.fixture
def files(tmp_path):
    """Three files of sentences without entities: to train, validate and test on."""
    return write_parts(tmp_path)


@pytest.fixture
def entity_file(tmp_path):
    """A file whose tags mark entities."""
    return write_entities(tmp_path)


@pytest.fixture
def tiny(files):
    """Make a configuration that trains in a fraction of a second."""
    return lambda **options: tiny_config(files, **options)
