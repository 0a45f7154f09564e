"""Fixtures of the client library's tests: servers as the folder interop starts them, programs built
against our headers or Debian's, and the library that they run on."""
import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
INTEROP = os.path.join(ROOT, "test", "interop")
sys.path.insert(0, HERE)
sys.path.insert(0, INTEROP)

_spec = importlib.util.spec_from_file_location("interop_conftest", os.path.join(INTEROP, "conftest.py"))
_interop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_interop)
missing_java = _interop.missing_java
pytest_collection_modifyitems = _interop.pytest_collection_modifyitems
shared_server, srv, connect, zk, base = (
    _interop.shared_server,
    _interop.srv,
    _interop.connect,
    _interop.zk,
    _interop.base,
)


class Build:
    """The build folder whose library is tested: ZOKOR_CLIENT_BUILD, or build/release."""

    def __init__(self):
        self.dir = os.path.abspath(os.environ.get("ZOKOR_CLIENT_BUILD") or os.path.join(ROOT, "build", "release"))
        self.library = os.path.join(self.dir, "libzokor.so")
        self.compiler = os.environ.get("CC") or "cc"
        self.sanitizer = ""
        cache = os.path.join(self.dir, "CMakeCache.txt")
        if os.path.exists(cache):
            with open(cache) as f:
                text = f.read()
            self.compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", text, re.M).group(1)
            self.sanitizer = re.search(r"^ZOKOR_SANITIZE:\w+=(.*)$", text, re.M).group(1)

    def flags(self):
        names = {"address": "address,undefined", "thread": "thread"}
        return ["-fsanitize=" + names[self.sanitizer]] if self.sanitizer in names else []

    def compile(self, out, source, headers="ours", library="zokor", more=()):
        """A program against our headers and library, or Debian's headers and Apache's library."""
        command = [self.compiler, "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-g", *more]
        command += self.flags() + ["-o", str(out), source]
        if headers == "ours":
            command += ["-I" + os.path.join(ROOT, "include"), "-L" + self.dir, "-l" + library]
        else:
            command += ["-I/usr/include/zookeeper", "-lzookeeper_mt"]
        subprocess.run([*command, "-lpthread"], check=True)
        return str(out)

    def env(self):
        """Ours in the place of every library of that name."""
        env = dict(os.environ)
        env["LD_LIBRARY_PATH"] = self.dir
        env.setdefault("TSAN_OPTIONS", "halt_on_error=1")
        return env

    def run(self, *command, seconds=300):
        return subprocess.run(
            command,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )


@pytest.fixture(scope="session")
def build():
    it = Build()
    if not os.path.exists(it.library):
        pytest.skip("%s is not built" % it.library)
    if shutil.which(it.compiler) is None:
        pytest.skip("no C compiler")
    return it


@pytest.fixture(scope="session")
def plain(build):
    """Skips tests that run programs which cannot take a sanitizer's library."""
    if build.sanitizer:
        pytest.skip("a program of others cannot run on a sanitizer's build")
    return build
