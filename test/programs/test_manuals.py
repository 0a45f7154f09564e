"""Manual pages and completions say what the program says of itself: every command, every option."""
import glob
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess

import pytest
import server as server_module

ROOT = server_module.ROOT
MAN = os.path.join(ROOT, "docs", "man")
COMPLETIONS = os.path.join(ROOT, "packaging", "completions")
OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*|-[a-zA-Z][a-z-]*)")


def load_tool():
    path = os.path.join(ROOT, "tools", "completions")
    loader = importlib.machinery.SourceFileLoader("completions_tool", path)
    spec = importlib.util.spec_from_loader("completions_tool", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(*command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, **more)


@pytest.fixture(scope="module")
def zokor():
    command = os.environ.get("ZOKOR_BIN") or os.path.join(ROOT, "build", "release", "zokor")
    if not os.path.exists(command):
        pytest.skip("%s is not built" % command)
    return os.path.abspath(command)


@pytest.fixture(scope="module")
def commands(zokor):
    """Names of `zokor --help`."""
    text = run(zokor, "--help").stdout
    names = re.findall(r"^  (\w+) ", text.split("commands:\n")[1].split("\n\n")[0], re.M)
    assert "server" in names and "bench" in names
    return names


def listed_options(zokor, command):
    """Options at the beginning of lines of the help, with those that are joined to them: "-c, --connections N"."""
    found = set()
    for line in run(zokor, command, "--help").stdout.splitlines():
        match = re.match(r"\s+(-\S+(?:,? (?:/ )?-\S+)*)", line)
        if match:
            found.update(OPTION.findall(match.group(1)))
    return found


def page(name):
    with open(os.path.join(MAN, name)) as f:
        return re.sub(r"\\f.", "", f.read()).replace("\\-", "-")


def test_every_command_has_a_page_and_completions(commands):
    table = {c.name for c in load_tool().read_table()}
    for name in commands:
        assert name in table
        if name != "version":
            assert os.path.exists(os.path.join(MAN, "zokor-%s.1" % name)), name
            assert "zokor-%s (1)" % name in re.sub(r"[\",]", "", page("zokor.1")) or name in page("zokor.1")


def test_every_option_is_in_page_and_completions(zokor, commands):
    table = {c.name: c for c in load_tool().read_table()}
    for name in commands:
        if name == "version":
            continue
        options = listed_options(zokor, name)
        text = page("zokor-%s.1" % name)
        missing = [o for o in options if o not in text and o != "-D"]
        assert not missing, "docs/man/zokor-%s.1 lacks %s" % (name, missing)
        known = {s for o in table[name].options for s in o.spellings()}
        missing = [o for o in options if o.startswith("--") and o not in known]
        assert not missing, "packaging/completions/table: %s lacks %s" % (name, missing)


def test_no_page_names_an_option_that_is_not_there(zokor, commands):
    for name in commands:
        if name == "version":
            continue
        told = run(zokor, name, "--help").stdout + " --help -h"
        for option in re.findall(r"^\.(?:TP\n\.)?B[IR]?\s+(--[\w-]+)", page("zokor-%s.1" % name), re.M):
            assert option in told, "docs/man/zokor-%s.1 has %s" % (name, option)


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(MAN, "*.[13]"))), ids=os.path.basename)
def test_pages_are_sound(path):
    if shutil.which("man") is None:
        pytest.skip("Debian's package man-db is not installed")
    out = run("man", "--warnings", "-l", path, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
    assert out.returncode == 0 and out.stderr == ""
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"):
        assert re.search("^%s$" % section, out.stdout, re.M)


def test_pages_refer_to_pages():
    names = {os.path.basename(p)[:-2] for p in glob.glob(os.path.join(MAN, "*.[13]"))}
    for name in glob.glob(os.path.join(MAN, "*.[13]")):
        for other in re.findall(r"((?:lib)?zokor[\w-]*)[ \"]*\(\d\)", page(name)):
            assert other in names, (name, other)


def test_completions_are_current():
    out = run(os.path.join(ROOT, "tools", "completions"), "--check")
    assert out.returncode == 0, out.stdout


def bash_complete(*words):
    script = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _zokor
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.path.join(COMPLETIONS, "zokor.bash")
    return set(run("bash", "-c", script, "bash", path, "zokor", *words).stdout.split())


def test_bash(commands, tmp_path):
    assert bash_complete("") >= set(commands)
    assert bash_complete("be") == {"bench"}
    assert bash_complete("bench", "--se") == {"--servers", "--seconds"}
    assert bash_complete("bench", "mi") == {"mixed"}
    assert bash_complete("bench", "get", "-c", "") == bash_complete("server", "")  # files
    cfg = tmp_path / "some.cfg"
    cfg.write_text("")
    assert bash_complete("server", str(tmp_path) + "/so") == {str(cfg)}


def test_fish():
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = "source %s; complete -C 'zokor bench --se'; complete -C 'zokor ser'" % (
        os.path.join(COMPLETIONS, "zokor.fish")
    )
    out = run("fish", "--no-config", "-c", script)
    assert out.stderr == ""
    assert [line.split("\t")[0] for line in out.stdout.splitlines()] == ["--seconds", "--servers", "server"]


def test_zsh():
    """Completion needs a terminal: this shell has one of its own, types, and prints what it would offer."""
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    script = r"""
        zmodload zsh/zpty
        zpty shell 'zsh -f -i'
        zpty -w shell "PROMPT=; fpath=(%s \$fpath); autoload -U compinit; compinit -u -D"
        zpty -w shell "zstyle ':completion:*' list-prompt ''; LISTMAX=10000; print re''ady"
        zpty -r shell out '*ready*'
        zpty -n -w shell $'zokor bench --se\t\t'
        zpty -r shell out '*host:port,host:port*'
        print -r -- $out
        zpty -d shell
    """ % COMPLETIONS
    out = run("timeout", "55", "zsh", "-f", "-c", script, env={**os.environ, "TERM": "dumb"})
    assert "--seconds" in out.stdout and "--servers" in out.stdout, out.stdout + out.stderr
