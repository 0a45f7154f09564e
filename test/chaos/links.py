"""The network between the members: a proxy in front of every election and quorum port, for each member that dials it.

    with Links({1: (4001, 5001), 2: (4002, 5002)}, free_port) as links:
        links.ports[1, 2]              # where member 1 finds member 2: (quorum port, election port)
        links.set(1, 2, cut=True)      # bytes from 1 to 2 stop; those from 2 to 1 go on
        links.set(1, 2, delay_ms=50, loss=0.05)
        links.reset(1, 2)              # connections between the two break
        links.heal()

A cut holds what is sent, as lost packets that TCP sends again do: when it ends in time, nothing is missing. A connection
that is made meanwhile hangs. What is "lost" otherwise comes RETRANSMIT_S late, and everything behind it, too.
"""
import asyncio
import json
import multiprocessing
import os
import random
import socket

RETRANSMIT_S = 0.2
CHUNK = 65536
QUEUE_MAX = 64


class Rule:
    def __init__(self, cut=False, delay_ms=0, loss=0.0):
        self.cut, self.delay_ms, self.loss = cut, delay_ms, loss


class Proxy:
    """Runs in a process of its own."""

    def __init__(self, ways, seed):
        self.ways = ways  # (from, to, listening socket, port behind it)
        self.rules = {}
        self.changed = asyncio.Event()
        self.open = {}  # (from, to): transports
        self.random = random.Random(seed)

    def rule(self, a, b):
        return self.rules.get((a, b)) or self.rules.setdefault((a, b), Rule())

    async def until_open(self, a, b):
        while self.rule(a, b).cut:
            await self.changed.wait()

    async def carry(self, reader, writer, a, b):
        """Bytes from a to b, in order, each as late as the rule of its time says."""
        queue = asyncio.Queue(QUEUE_MAX)
        loop = asyncio.get_running_loop()

        async def take():
            due = 0.0
            while True:
                try:
                    piece = await reader.read(CHUNK)
                except OSError:
                    piece = b""
                rule = self.rule(a, b)
                late = rule.delay_ms / 1000 * self.random.uniform(0.5, 1.5)
                if rule.loss and self.random.random() < rule.loss:
                    late += RETRANSMIT_S
                due = max(due, loop.time() + late)
                await queue.put((due, piece))
                if not piece:
                    return

        taker = asyncio.ensure_future(take())
        try:
            while True:
                due, piece = await queue.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                await self.until_open(a, b)
                if not piece:
                    return
                writer.write(piece)
                await writer.drain()
        except OSError:
            return
        finally:
            taker.cancel()

    async def serve(self, a, b, port, reader, writer):
        ends = [writer]
        mine = self.open.setdefault((a, b), [])
        mine.append(ends)
        try:
            await self.until_open(a, b)
            await self.until_open(b, a)
            there, back = await asyncio.open_connection("127.0.0.1", port)
            back.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ends.append(back)
            ways = [
                asyncio.ensure_future(self.carry(reader, back, a, b)),
                asyncio.ensure_future(self.carry(there, writer, b, a)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
        except OSError:
            pass
        finally:
            mine.remove(ends)
            for end in ends:
                end.transport.abort()

    def obey(self, order):
        what = order.pop("what")
        if what == "set":
            a, b = order.pop("a"), order.pop("b")
            self.rules[a, b] = Rule(**order)
        elif what == "heal":
            self.rules = {}
        else:
            for ends in self.open.get((order["a"], order["b"]), []) + self.open.get((order["b"], order["a"]), []):
                for end in ends:
                    end.transport.abort()
        self.changed.set()
        self.changed.clear()

    async def run(self, orders):
        for a, b, sock, port in self.ways:

            def serve(reader, writer, a=a, b=b, port=port):
                writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self.serve(a, b, port, reader, writer)

            await asyncio.start_server(serve, sock=sock)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(orders, "rb", 0)
        )
        while True:
            line = await reader.readline()
            if not line:
                return
            self.obey(json.loads(line))


def _run(ways, orders, far_end, seed):
    os.close(far_end)

    async def main():
        await Proxy(ways, seed).run(orders)

    asyncio.run(main())
    os._exit(0)


class Links:
    """ports_of: {sid: (quorum port, election port)} as the members listen."""

    def __init__(self, ports_of, free_port, seed=0):
        self.ports, ways = {}, []
        for a in ports_of:
            for b, behind in ports_of.items():
                if a == b:
                    continue
                socks = [self._listen(free_port) for _ in behind]
                ways += [(a, b, s, p) for s, p in zip(socks, behind)]
                self.ports[a, b] = tuple(s.getsockname()[1] for s in socks)
        orders, self._pipe = os.pipe()
        self._process = multiprocessing.get_context("fork").Process(
            target=_run, args=(ways, orders, self._pipe, seed), daemon=True
        )
        self._process.start()
        os.close(orders)
        for way in ways:
            way[2].close()

    @staticmethod
    def _listen(free_port):
        while True:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", free_port()))
                s.listen(64)
                return s
            except OSError:
                s.close()

    def _order(self, **order):
        os.write(self._pipe, json.dumps(order).encode() + b"\n")

    def set(self, a, b, **rule):
        self._order(what="set", a=a, b=b, **rule)

    def reset(self, a, b):
        self._order(what="reset", a=a, b=b)

    def heal(self):
        self._order(what="heal")

    def close(self):
        os.close(self._pipe)
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
