"""A TCP proxy between a node and its database, which a test can cut."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards to ``address``; while cut, it drops all connections and refuses new ones."""

    def __init__(self, address):
        self._address = address
        self._lock = threading.Lock()
        self._pairs = []
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        with self._lock:
            self._is_cut = True
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _close(end)

    def mend(self):
        with self._lock:
            self._is_cut = False

    def close(self):
        self.cut()
        _close(self._listener)

    def _accept(self):
        while True:
            try:
                near, _address = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    _close(near)
                    continue
                far = socket.create_connection(self._address)
                self._pairs.append((near, far))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _close(source)
    _close(target)


def _close(end):
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
