"""Running the two command lines: ours and Debian's zkCli.sh, through pipes and through a pseudo-terminal."""
import fcntl
import os
import pty
import queue
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import server as server_module

ZKCLI = os.environ.get("ZKCLI") or "/usr/share/zookeeper/bin/zkCli.sh"
SECONDS = 60


def zokor():
    """The command of our program, as a list, or None."""
    command = server_module.server_command()
    return None if command is None or server_module.use_apache() else command


def environment(**more):
    env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", "ZOKOR_CLI_HISTORY": "", **more}
    env["JVMFLAGS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dfile.encoding=UTF-8 -Dsun.stdout.encoding=UTF-8"
    return env


def one_shot(hosts, *words, program=None, stdin=subprocess.DEVNULL, env=None):
    """status, lines of stdout, lines of stderr of one command."""
    command = program or zokor() + ["cli"]
    if stdin is not subprocess.DEVNULL:
        extra = {"input": stdin}
    else:
        extra = {"stdin": stdin}
    run = subprocess.run(
        [*command, "-server", hosts, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env or environment(),
        timeout=SECONDS,
        **extra,
    )
    out, err = (x.decode("utf-8", "surrogateescape") for x in (run.stdout, run.stderr))
    return run.returncode, out.splitlines(), [x for x in err.splitlines() if not is_noise(x)]


def is_noise(line):
    return line.startswith(("SLF4J:", "log4j:"))


class Piped:
    """A command line that reads a pipe. After each command two more are sent, whose answers mark the end of what the
    command wrote to stdout and to stderr."""

    MARK = "/cli-mark"
    MARK_TEXT = "=end of the command="

    def __init__(self, command, hosts, *options):
        self.process = subprocess.Popen(
            [*command, *options, "-server", hosts],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        self.streams = []
        for stream in (self.process.stdout, self.process.stderr):
            lines = queue.Queue()
            threading.Thread(target=self._pump, args=(stream, lines), daemon=True).start()
            self.streams.append(lines)

    @staticmethod
    def _pump(stream, lines):
        for line in stream:
            lines.put(line.decode("utf-8", "replace").rstrip("\n"))
        lines.put(None)

    def send(self, command):
        self.process.stdin.write((command + "\n").encode())
        self.process.stdin.flush()

    def _until(self, lines, end):
        out = []
        while True:
            line = lines.get(timeout=SECONDS)
            if line is None or line == end:
                return out
            if not is_noise(line):
                out.append(line)

    def run(self, command):
        """(stdout, stderr) of a command, as lists of lines."""
        for line in (command, "get %s" % self.MARK, "get %s-none" % self.MARK):
            self.send(line)
        return (
            self._until(self.streams[0], self.MARK_TEXT),
            self._until(self.streams[1], "Node does not exist: %s-none" % self.MARK),
        )

    def run_unconnected(self, command):
        """The same while there is no session: every command then says so on stdout."""
        for line in (command, "ls %s" % self.MARK):
            self.send(line)
        return self._until(self.streams[0], "Not connected")

    def rest(self):
        """What stdout still had, once the program has ended."""
        return self._until(self.streams[0], None)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(SECONDS)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class Terminal:
    """Our command line on a pseudo-terminal, typed at by a person."""

    def __init__(self, command, columns=100, rows=30, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, env or environment())
        self.resize(columns, rows)
        self.seen = ""
        self.status = None

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        """What has come within this time, at most: "" for nothing, None at the end."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return ""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return None
        return data.decode("utf-8", "replace") if data else None

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self, text, start=None):
        """Waits until the text is on the screen (behind position `start` of all that was written); its end there."""
        deadline = time.monotonic() + SECONDS
        start = 0 if start is None else start
        while True:
            at = self.seen.find(text, start)
            if at >= 0:
                return at + len(text)
            assert time.monotonic() < deadline, "no %r in %r" % (text, self.seen[start:])
            piece = self.read(0.5)
            assert piece is not None, "it ended without %r: %r" % (text, self.seen[start:])
            self.seen += piece

    def wait_screen(self, text):
        """Waits until a line of the screen contains the text."""
        deadline = time.monotonic() + SECONDS
        while not any(text in line for line in self.screen()):
            assert time.monotonic() < deadline, "no %r on the screen: %r" % (text, self.screen())
            piece = self.read(0.5)
            assert piece is not None, "it ended: %r" % self.seen
            self.seen += piece

    def complete(self, text):
        """Types Tab until a line of the screen contains the text: whoever waits for the server for too long beeps."""
        deadline = time.monotonic() + SECONDS
        start = len(self.seen)
        self.type("\t")
        while not any(text in line for line in self.screen()):
            assert time.monotonic() < deadline, "no %r on the screen: %r" % (text, self.screen())
            piece = self.read(0.5)
            assert piece is not None, "it ended: %r" % self.seen
            self.seen += piece
            if "\a" in self.seen[start:]:
                start = len(self.seen)
                self.type("\t")

    def prompt(self, number):
        self.wait_screen("(CONNECTED) %d]" % number)

    def run(self, command, number):
        """Types a command, waits for the next prompt, which has this number."""
        self.type(command + "\n")
        self.prompt(number)

    def screen(self):
        """The lines that a terminal shows after all this."""
        return render(self.seen)

    def end(self):
        """Waits for the end of the program; its status."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            piece = self.read(0.5)
            if piece is None:
                break
            self.seen += piece
        _, status = os.waitpid(self.pid, 0)
        self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def render(text, columns=100):
    """A small terminal: the escape sequences that libedit and the program use. Anything else stays visible."""
    lines, row, column = [[]], 0, 0
    pattern = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z@])|\x1b[=>]|\x1b\(B|([\r\n\b\a\x0f])|(.)", re.S)

    def cell(r, c):
        while len(lines) <= r:
            lines.append([])
        lines[r] += " " * (c + 1 - len(lines[r]))

    for match in pattern.finditer(text):
        numbers, letter, control, plain = match.group(1), match.group(2), match.group(3), match.group(4)
        count = int(numbers) if numbers and numbers.isdigit() else 1
        if plain:
            if column == columns:
                row, column = row + 1, 0
            cell(row, column)
            lines[row][column] = plain
            column += 1
        elif control == "\r":
            column = 0
        elif control == "\n":
            row += 1
            cell(row, 0)
        elif control == "\b":
            column = max(0, column - 1)
        elif letter == "A":
            row = max(0, row - count)
        elif letter == "C":
            column += count
        elif letter == "D":
            column = max(0, column - count)
        elif letter == "G":
            column = count - 1
        elif letter == "K":
            cell(row, column)
            del lines[row][column:]
        elif letter == "J":
            cell(row, column)
            del lines[row][column:]
            del lines[row + 1 :]
        elif letter == "P":
            del lines[row][column : column + count]
        elif letter == "@":
            lines[row][column:column] = [" "] * count
    return ["".join(line).rstrip() for line in lines]
