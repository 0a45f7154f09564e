"""What is installed: files in their places, programs built with them, the Debian packages in a root of their own."""
import glob
import os
import re
import shutil
import subprocess
import textwrap

import pytest
import server as server_module

ROOT = server_module.ROOT


def run(*command, **more):
    more.setdefault("timeout", 300)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)


@pytest.fixture(scope="module", autouse=True)
def tools(plain):
    if not os.path.exists(os.path.join(plain.dir, "CMakeCache.txt")) or shutil.which("cmake") is None:
        pytest.skip("cmake and a build folder of its are needed")


class Installed:
    """`cmake --install` below a folder."""

    def __init__(self, build, folder):
        with open(os.path.join(build.dir, "CMakeCache.txt")) as f:
            self.prefix = re.search(r"^CMAKE_INSTALL_PREFIX:PATH=(.*)$", f.read(), re.M).group(1)
        self.root = str(folder)
        out = run("cmake", "--install", build.dir, env={**os.environ, "DESTDIR": self.root})
        assert out.returncode == 0, out.stderr
        assert os.path.exists(self.path("include/libzokor/zokor/client.h"))
        self.lib = os.path.dirname(glob.glob(self.path("lib/**/libzokor.so.0"), recursive=True)[0])

    def path(self, name):
        return self.root + os.path.join(self.prefix, name)


@pytest.fixture(scope="module")
def installed(plain, tmp_path_factory):
    return Installed(plain, tmp_path_factory.mktemp("installed"))


PROGRAM = textwrap.dedent(
    """
    #include <stdio.h>
    #include <zokor/client.h>
    int main(int argc, char **argv)
    {
        struct Stat stat;
        zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
        zhandle_t *zh = zookeeper_init(argv[argc - 1], NULL, 10000, NULL, NULL, 0);
        printf("%s %d\\n", zerror(zoo_exists(zh, "/zookeeper", 0, &stat)), zokor_sync(zh, "/"));
        return zookeeper_close(zh);
    }
    """
)


def test_files(installed):
    for name in (
        "bin/zokor",
        "lib/systemd/system/zokor.service",
        "lib/sysusers.d/zokor.conf",
        "lib/tmpfiles.d/zokor.conf",
        "share/man/man1/zokor-server.1.gz",
        "share/man/man3/libzokor.3.gz",
        "share/bash-completion/completions/zokor",
        "share/zsh/vendor-completions/_zokor",
        "share/fish/vendor_completions.d/zokor.fish",
    ):
        assert os.path.exists(installed.path(name)), name
    with open(installed.path("lib/systemd/system/zokor.service")) as f:
        (start,) = re.findall(r"^ExecStart=(\S+) server (\S+)$", f.read(), re.M)
    for path in start:
        assert os.path.exists(installed.root + path), path
    check = run(installed.root + start[0], "server", "--check", installed.root + start[1])
    assert check.returncode == 0 and "WARN" not in check.stderr and "unknown" not in check.stderr, check.stderr


def test_links(installed):
    """Every name leads to the library; Apache's stand apart."""
    for name in ("libzokor", "libzokor_st"):
        whole = os.path.realpath(os.path.join(installed.lib, name + ".so"))
        assert re.search(r"/%s\.so\.0\.\d+\.\d+$" % name, whole)
        apache = "libzookeeper" + ("_st" if name.endswith("_st") else "_mt") + ".so.2"
        assert os.path.realpath(os.path.join(installed.lib, "zokor", apache)) == whole
        assert not os.path.lexists(os.path.join(installed.lib, apache))
        dynamic = run("readelf", "-d", whole).stdout
        assert "[%s.so.0]" % name in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic


def test_tls_lies_beside_it(installed):
    """Found from the library's own folder, and by Apache's names from where the system looks."""
    assert os.path.exists(os.path.join(installed.lib, "libzokor_tls.so.0"))
    assert not os.path.lexists(os.path.join(installed.lib, "libzokor_tls.so"))  # nothing links with it


def test_pkg_config(installed, srv, tmp_path):
    source = tmp_path / "program.c"
    source.write_text(PROGRAM)
    env = {
        **os.environ,
        "PKG_CONFIG_PATH": os.path.join(installed.lib, "pkgconfig"),
        "PKG_CONFIG_SYSROOT_DIR": installed.root,
        "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1",
    }
    flags = run("pkg-config", "--cflags", "--libs", "zokor", env=env)
    assert flags.returncode == 0, flags.stderr
    program = str(tmp_path / "program")
    built = run("cc", "-Wall", "-Wextra", "-Werror", "-o", program, str(source), *flags.stdout.split())
    assert built.returncode == 0, built.stderr
    out = run(program, srv.hosts, env={**os.environ, "LD_LIBRARY_PATH": installed.lib})
    assert (out.returncode, out.stdout) == (0, "ok 0\n"), out.stderr


def test_find_package(installed, srv, tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(p LANGUAGES C)\nfind_package(zokor 0.1 REQUIRED)\n"
        "add_executable(program program.c)\ntarget_link_libraries(program PRIVATE zokor::zokor)\n"
    )
    at = "-Dzokor_DIR=" + os.path.join(installed.lib, "cmake", "zokor")
    made = run("cmake", "-S", str(tmp_path), "-B", str(tmp_path / "b"), at)
    assert made.returncode == 0, made.stderr
    built = run("cmake", "--build", str(tmp_path / "b"))
    assert built.returncode == 0, built.stdout + built.stderr
    out = run(str(tmp_path / "b" / "program"), srv.hosts)
    assert (out.returncode, out.stdout) == (0, "ok 0\n"), out.stderr


def test_a_program_made_for_apache(installed, srv, tmp_path):
    """Debian's cli_mt finds ours by the folder of private names."""
    if not os.path.exists("/usr/lib/zookeeper/bin/cli_mt"):
        pytest.skip("Debian's package zookeeper-bin is not installed")
    env = {**os.environ, "LD_LIBRARY_PATH": os.path.join(installed.lib, "zokor")}
    linked = run("ldd", "/usr/lib/zookeeper/bin/cli_mt", env=env).stdout
    assert os.path.join(installed.lib, "zokor", "libzookeeper_mt.so.2") in linked
    out = run("/usr/lib/zookeeper/bin/cli_mt", srv.hosts, "cmd:ls /", env=env, cwd=str(tmp_path))
    assert out.returncode == 0 and "rc = 0" in out.stdout + out.stderr, out.stdout + out.stderr


@pytest.fixture(scope="module")
def packages(plain, installed, tmp_path_factory):
    if installed.prefix != "/usr":
        pytest.skip("the build folder has the prefix %s; packages need /usr, as ./dev sets it" % installed.prefix)
    if shutil.which("dpkg-deb") is None or shutil.which("cpack") is None:
        pytest.skip("dpkg-dev and cpack are needed")
    folder = str(tmp_path_factory.mktemp("packages"))
    out = run("cpack", "-G", "DEB", "-D", "CPACK_OUTPUT_FILE_PREFIX=" + folder, cwd=plain.dir, timeout=900)
    assert out.returncode == 0, out.stdout + out.stderr
    return sorted(glob.glob(folder + "/*.deb"))


def test_packages(packages):
    names = [os.path.basename(p).split("_")[0] for p in packages]
    assert names == ["libzokor-dev", "libzokor-tls0", "libzokor0", "zokor"]
    fields = {n: run("dpkg-deb", "-f", p).stdout for n, p in zip(names, packages)}
    assert re.search(r"^Depends: libc6 \(>= [\d.]+\)$", fields["libzokor0"], re.M)  # and nothing else
    assert re.search(r"^Depends: libzokor0 \(= ", fields["libzokor-dev"], re.M)
    assert "libuv1" in fields["zokor"] and "libssl3" in fields["libzokor-tls0"]
    listing = run("dpkg-deb", "-c", packages[3]).stdout
    assert "./etc/zokor/zoo.cfg" in listing and "/usr/local" not in listing
    assert not re.search(r"^\S+ (?!root/root)", listing, re.M)


def test_libraries_that_are_loaded_later(packages):
    """What the sources open by name is in a package that ours name."""
    wanted = set()
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True):
        if not path.endswith("_test.c"):
            with open(path) as f:
                wanted.update(re.findall(r'"(lib\w+\.so\.\d+)"', f.read()))
    assert "libmicrohttpd.so.12" in wanted
    named = run("dpkg-deb", "-f", packages[2], "Recommends").stdout
    named += run("dpkg-deb", "-f", packages[3], "Depends", "Recommends", "Suggests").stdout
    for library in sorted(wanted):
        owner = run("dpkg", "-S", library).stdout.partition(":")[0]
        if owner:
            assert re.search(r"\b%s\b" % re.escape(owner), named), (library, owner, named)


IN_ITS_ROOT = textwrap.dedent(
    """
    set -e
    top=$1
    shift
    mount -t tmpfs none "$top"
    mkdir "$top/upper" "$top/work" "$top/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$top/root"
    mount --bind /proc "$top/root/proc"
    mount --bind /dev "$top/root/dev"
    mkdir "$top/root/debs"
    cp "$@" "$top/root/debs/"
    cat >"$top/root/steps"
    exec chroot "$top/root" sh -e /steps
    """
)
STEPS = textwrap.dedent(
    """
    dpkg -i /debs/*.deb
    dpkg -i /debs/*.deb
    dpkg -V zokor libzokor0 libzokor-tls0 libzokor-dev
    zokor --version
    ldconfig -p | grep libzokor.so.0
    ldconfig -p | grep libzokor_tls.so.0
    stat -c '%U %G %a %n' /var/lib/zokor
    grep '^zokor:' /etc/passwd
    zokor server --check /etc/zokor/zoo.cfg
    /usr/share/zokor/bin/zkServer.sh version
    /usr/share/zokor/bin/zkServer.sh print-cmd
    echo '# mine' >>/etc/zokor/zoo.cfg
    dpkg -r zokor libzokor-dev libzokor-tls0 libzokor0
    test ! -e /usr/bin/zokor
    tail -1 /etc/zokor/zoo.cfg
    dpkg -P zokor
    test ! -e /etc/zokor
    test -d /var/lib/zokor
    echo done
    """
)


def test_installing_and_removing(packages, tmp_path):
    """On this very system, with a layer over it that is thrown away."""
    probe = run("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", str(tmp_path))
    if probe.returncode != 0:
        pytest.skip("mounts are not allowed here: " + probe.stderr.strip())
    script = tmp_path / "script"
    script.write_text(IN_ITS_ROOT)
    root = tmp_path / "root"
    root.mkdir()
    out = subprocess.run(
        ["unshare", "--mount", "bash", str(script), str(root), *packages],
        input=STEPS,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert out.returncode == 0 and out.stdout.endswith("done\n"), out.stdout + out.stderr
    assert "zokor zokor 750 /var/lib/zokor" in out.stdout
    assert "# mine" in out.stdout
    assert "/zokor/bin/../conf/zoo.cfg" in out.stdout + out.stderr


def test_lintian(packages):
    if shutil.which("lintian") is None:
        pytest.skip("lintian is not installed")
    out = run("lintian", "--fail-on", "error", *packages)
    assert out.returncode == 0, out.stdout
