"""A PostgreSQL client in a page: the frontend/backend protocol 3.0 with SCRAM-SHA-256 and the extended query in text format
("PostgreSQL 15 documentation", chapter 55; RFC 5802). An application of yours would use psycopg."""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading
import time


class Error(Exception):
    """What the server says: code is its SQLSTATE; "08000" where the connection is gone."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Connection:
    def __init__(self, host, port, user, password, database, timeout=5):
        self.socket = socket.create_connection((host, port), timeout)
        try:
            self.socket.sendall(struct.pack("!ii", 8, 80877103))
            if self.socket.recv(1) == b"S":
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as sslmode=require
                self.socket = context.wrap_socket(self.socket)
            self.file = self.socket.makefile("rb")
            words = b"".join(w.encode() + b"\0" for w in ("user", user, "database", database, "client_encoding", "UTF8")) + b"\0"
            self.socket.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
            self.sign_in(password)
        except BaseException:
            self.socket.close()
            raise

    def close(self):
        self.socket.close()

    def send(self, kind, body=b""):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def receive(self):
        head = self.file.read(5)
        if len(head) < 5:
            raise Error("08000", "the server closed the connection")
        body = self.file.read(struct.unpack("!i", head[1:])[0] - 4)
        if head[:1] == b"E":
            fields = dict((f[:1], f[1:].decode()) for f in body.split(b"\0") if f)
            raise Error(fields.get(b"C", "XX000"), fields.get(b"M", ""))
        return head[:1], body

    def sign_in(self, password):
        nonce = base64.b64encode(os.urandom(18)).decode()
        while True:
            kind, body = self.receive()
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            method = struct.unpack("!i", body[:4])[0]
            if method == 10:
                first = f"n=,r={nonce}"
                text = ("n,," + first).encode()
                self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(text)) + text)
            elif method == 11:
                server = body[4:].decode()
                said = dict(part.split("=", 1) for part in server.split(","))
                salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
                key = hmac.digest(salted, b"Client Key", "sha256")
                last = f"c=biws,r={said['r']}"
                proof = hmac.digest(hashlib.sha256(key).digest(), f"{first},{server},{last}".encode(), "sha256")
                proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, proof))).decode()
                self.send(b"p", f"{last},p={proof}".encode())
            elif method not in (0, 12):
                raise Error("28000", f"the server wants authentication {method}")

    def query(self, text, *values):
        """Rows, each a list of texts (None for NULL)."""
        bind = b"\0\0" + struct.pack("!hh", 0, len(values))
        for v in values:
            v = None if v is None else str(v).encode()
            bind += struct.pack("!i", -1) if v is None else struct.pack("!i", len(v)) + v
        self.send(b"P", b"\0" + text.encode() + b"\0\0\0")
        self.send(b"B", bind + b"\0\0")
        self.send(b"E", b"\0\0\0\0\0")
        self.send(b"S")
        rows, error = [], None
        while True:
            try:
                kind, body = self.receive()
            except Error as e:
                if e.code == "08000" or e.code.startswith("57P"):
                    raise
                error = e  # ReadyForQuery follows
                continue
            if kind == b"Z":
                if error:
                    raise error
                return rows
            if kind == b"D":
                at, row = 2, []
                for _ in range(struct.unpack("!h", body[:2])[0]):
                    n = struct.unpack("!i", body[at:at + 4])[0]
                    row.append(None if n < 0 else body[at + 4:at + 4 + n].decode())
                    at += 4 + max(n, 0)
                rows.append(row)


class Pool:
    """Connections by turns. What fails because the server went away is tried again on a new one, until `patience` seconds are
    over: a database that fails over is back in seconds. So an order has an id from its customer, and is not made twice."""

    def __init__(self, connect, patience=30):
        self.connect, self.patience, self.idle, self.lock = connect, patience, [], threading.Lock()

    def run(self, work):
        until = time.monotonic() + self.patience
        while True:
            connection = None
            try:
                with self.lock:
                    connection = self.idle.pop() if self.idle else None
                connection = connection or self.connect()
                result = work(connection)
                with self.lock:
                    self.idle.append(connection)
                return result
            except (OSError, Error) as e:
                if connection:
                    connection.close()
                # 08: connection; 57P: shutdown; 25006: a standby that only reads.
                gone = isinstance(e, OSError) or e.code[:2] == "08" or e.code[:3] == "57P" or e.code == "25006"
                if not gone or time.monotonic() > until:
                    raise
                with self.lock:
                    old, self.idle = self.idle, []
                for c in old:
                    c.close()
                time.sleep(0.2)
