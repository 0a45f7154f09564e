"""docs/recipes.md: its program runs, and what it names is there."""
import os
import re

from conftest import ROOT


def page():
    with open(os.path.join(ROOT, "docs", "recipes.md")) as f:
        return f.read()


def test_the_first_program_runs(build, srv, tmp_path):
    source = re.search(r"```c\n(.*?)```", page(), re.S).group(1)
    assert "127.0.0.1:2181" in source
    (tmp_path / "first.c").write_text(source.replace("127.0.0.1:2181", srv.hosts))
    run = build.run(build.compile(tmp_path / "first", str(tmp_path / "first.c")), seconds=60)
    assert run.returncode == 0 and "it is mine, with token " in run.stdout, run.stdout


def test_every_function_is_declared():
    folder = os.path.join(ROOT, "include", "zokor")
    declared = "".join(open(os.path.join(folder, name)).read() for name in os.listdir(folder))
    for row in page().splitlines():
        words = re.findall(r"`(?:struct )?\.?(_?\w+)`", row)
        first = ""
        for word in words:
            if re.match(r"zokor_\w+$", word) or re.match(r"ZOKOR_[A-Z]\w+$", word):
                assert re.search(r"\b%s\b" % word, declared) or word.startswith("ZOKOR_TOKEN"), word
                first = word
            elif row.startswith("|") and re.match(r"_[a-z]\w+$", word) and first:
                # `_acquire` stands for zokor_mutex_acquire behind zokor_mutex_new.
                parts = first.split("_")
                names = ["_".join(parts[:n]) + word for n in range(2, len(parts) + 1)]
                assert any(re.search(r"\b%s\b" % name, declared) for name in names), (row, word)
