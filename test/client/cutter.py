"""A proxy that breaks connections: what clients go through in a bad network, on loopback."""
import random
import select
import socket
import threading


class Cutter:
    """Forwards to a port; every connection is cut, without a farewell, after a random number of bytes.

    mean_bytes  about how many bytes pass, both directions together, before a cut; 0: none is cut
    """

    def __init__(self, port, listen_port, mean_bytes, seed=1):
        self.target = port
        self.mean_bytes = mean_bytes
        self.random = random.Random(seed)
        self.cuts = 0
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", listen_port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        self.ended = False
        self.open = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while not self.ended:
            ready, _, _ = select.select([self.listener], [], [], 0.1)
            if ready:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        left = self.random.expovariate(1 / self.mean_bytes) if self.mean_bytes else float("inf")
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=60)
        except OSError:
            client.close()
            return
        self.open.add(client)
        try:
            while left > 0 and not self.ended:
                ready, _, _ = select.select([client, server], [], [], 0.5)
                for s in ready:
                    data = s.recv(16384)
                    if not data:
                        return
                    (server if s is client else client).sendall(data[: max(1, int(min(left, len(data))))])
                    left -= len(data)
            self.cuts += 1
        except OSError:
            pass
        finally:
            self.open.discard(client)
            client.close()
            server.close()

    def cut(self):
        """Ends every connection there is."""
        for client in list(self.open):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.ended = True
        self.thread.join(60)
        self.listener.close()
