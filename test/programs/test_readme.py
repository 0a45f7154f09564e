"""The README in both languages: the same commands, links and sections; what it refers to is there."""
import os
import re

import server as server_module

ROOT = server_module.ROOT


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


def code(text):
    """Blocks of code without their comments and alignment."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return [[re.sub(r"\s+#.*", "", line) for line in block.splitlines()] for block in blocks]


def test_both_languages_say_the_same():
    english, chinese = read("README.md"), read("README.zh-CN.md")
    assert code(english) == code(chinese)
    for pattern in (r"^#+", r"^\|", r"\]\(((?!README)[^)]+)\)"):
        assert len(re.findall(pattern, english, re.M)) == len(re.findall(pattern, chinese, re.M)), pattern
    links = r"\]\(((?!README)[^)]+)\)"
    assert sorted(re.findall(links, english)) == sorted(re.findall(links, chinese))
    assert set(re.findall(r"zokor \w+", english)) == set(re.findall(r"zokor \w+", chinese))


def test_links_lead_somewhere():
    for name in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "examples/README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", read(name)):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(name), link)), (name, link)
