"""What is wrong with a page of HTML that should stand alone."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}
_FETCHING = {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}
_ISLAND = re.compile(r"<(math|svg)\b.*?</\1>", re.S)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.faults, self.open, self.ids, self.links, self.tags = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self._see(tag, attrs)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self._see(tag, attrs)

    def _see(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in _FETCHING and value.startswith("#"):
                self.links.append(value[1:])
            elif name in _FETCHING and not value.startswith("data:"):
                self.faults.append(f"{tag} fetches {value}")
            if name.startswith("on"):
                self.faults.append(f"{tag} has a script in {name}")

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"{tag} is closed inside {self.open[-3:]}, line {self.getpos()[0]}")
        else:
            self.open.pop()


def faults_of(page):
    """Return what is wrong with a page, as text: nothing if all is well."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    faults = [*reader.faults, *(f"{tag} is left open" for tag in reader.open)]
    faults += [
        f"id {name} is there {reader.ids.count(name)} times" for name in set(reader.ids) if reader.ids.count(name) > 1
    ]
    faults += [f"nothing has the id {name}" for name in set(reader.links) - set(reader.ids)]
    faults += [f"there is a {tag}" for tag in ("script", "link", "iframe", "object") if tag in reader.tags]
    faults += [
        "a style fetches"
        for style in re.findall(r"<style.*?</style>", page, re.S)
        if "url(" in style or "@import" in style
    ]
    for island in _ISLAND.finditer(page):
        try:
            ElementTree.fromstring(island[0])
        except ElementTree.ParseError as error:
            faults.append(f"{island[0][:80]} is no XML: {error}")
    return faults
