"""What holds for every row of the table of data sets."""

import re
from urllib.parse import urlsplit

import pytest

from recurra.data import catalog, resolve
from recurra.data.remote_data_sets import REMOTE_DATA_SETS

every_data_set = pytest.mark.parametrize("name", sorted(REMOTE_DATA_SETS))


@every_data_set
def test_what_is_fetched_is_what_a_layout_looks_for(name, cache, monkeypatch):
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    folder = cache / "downloads" / name
    for file in REMOTE_DATA_SETS[name].remote.files:
        for member in file.members or (file.name,):
            # a star stands for what the parts of a data set differ in
            for word in ("train", "valid", "test"):
                path = folder / member.replace("t*", word).replace("*", word)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("text")

    sources = resolve([name], folders=True)

    found = (*sources.paths, *sources.validation, *sources.test)
    assert all(path.is_relative_to(folder) for path in found)
    assert catalog.find_folder(name).is_relative_to(folder)


@every_data_set
def test_addresses_and_checksums_are_well_formed(name):
    for file in REMOTE_DATA_SETS[name].remote.files:
        assert urlsplit(file.address).scheme in ("http", "https")
        assert file.checksum is None or re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", file.checksum)
        assert bool(file.members) == file.address.endswith((".zip", ".tar.gz", ".tgz"))
        assert file.num_bytes > 0
        # what comes over an open line has a checksum
        assert file.checksum or file.address.startswith("https:")


@every_data_set
def test_terms_are_stated(name):
    remote = REMOTE_DATA_SETS[name].remote

    assert remote.licence
    assert remote.home.startswith("https://")


@pytest.mark.realdata
def test_checksums_are_those_of_the_real_files(real_data):
    import hashlib

    checked = 0
    for name, data_set in REMOTE_DATA_SETS.items():
        for file in data_set.remote.files:
            for layout in data_set.layouts:
                path = (real_data / layout.train[0]).with_name(file.name)
                if path.is_file() and file.checksum:
                    algorithm, digest = file.checksum.split(":")
                    assert hashlib.new(algorithm, path.read_bytes()).hexdigest() == digest, (name, path)
                    assert path.stat().st_size == file.num_bytes
                    checked += 1
    assert checked >= 10
