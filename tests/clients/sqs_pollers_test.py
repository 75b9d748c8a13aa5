"""Thousands of long polls at once: they hold no thread and little memory, each is answered when a message comes, and all
are when their time ends. Pollers: VIRGA_POLLERS (2,000)."""
import json
import os
import resource
import selectors
import socket
import time
import unittest

from virga import Virga

POLLERS = int(os.environ.get("VIRGA_POLLERS", "2000"))
SANITIZED = os.environ.get("VIRGA_PRESET", "release") != "release"
# Measured: 9 KiB each and some once; 10,000 stay under 100 MiB. A sanitized build's memory says nothing.
BYTES_ONCE_MAX = 4 * 2**20
BYTES_EACH_MAX = (100 * 2**20 - BYTES_ONCE_MAX) / 10000
# Workers begin at a burst of requests; their number is a matter of the machine, not of the pollers.
THREADS_MORE_MAX = 32


def raise_files(wanted):
    """The number of files that may be open; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except (ValueError, PermissionError):
            raise unittest.SkipTest(f"only {hard} files may be open")


class Poller:
    """One connection with one ReceiveMessage on its way, on a socket without a thread: a client library's own memory and
    threads would drown what is looked at here."""

    def __init__(self, port, key, request):
        self.key, self.answer = key, b""
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def read(self):
        """(status, answer) once it is whole."""
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError(f"poller {self.key} was cut off after {self.answer!r}")
        self.answer += got
        head, mark, body = self.answer.partition(b"\r\n\r\n")
        if not mark:
            return None
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) < length:
            return None
        return int(head.split()[1]), json.loads(body or b"{}")


class Pollers(unittest.TestCase):
    def setUp(self):
        raise_files(POLLERS + 500)  # of this process and of virga, each
        self.virga = Virga().start()
        self.addCleanup(self.virga.close)
        self.sqs = self.virga.client("sqs")
        self.url = self.sqs.create_queue(QueueName="polled", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
        self.pollers = []
        self.addCleanup(lambda: [p.socket.close() for p in self.pollers])

    def threads(self):
        with open(f"/proc/{self.virga.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Threads:"))

    def poll(self, count, seconds):
        body = json.dumps({"QueueUrl": self.url, "WaitTimeSeconds": seconds, "MaxNumberOfMessages": 1})
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        request = (f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{self.virga.port}\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
                   f"Content-Type: application/x-amz-json-1.0\r\nX-Amz-Date: {date}\r\nAuthorization: AWS4-HMAC-SHA256 "
                   f"Credential=test/{date[:8]}/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-date, Signature={'0' * 64}\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
        self.pollers += [Poller(self.virga.port, n, request) for n in range(count)]

    def answers(self, limit):
        """What the pollers heard within limit seconds, by poller."""
        heard, end = {}, time.monotonic() + limit
        with selectors.DefaultSelector() as selector:
            for p in self.pollers:
                selector.register(p.socket, selectors.EVENT_READ, p)
            while len(heard) < len(self.pollers) and time.monotonic() < end:
                for key, _ in selector.select(0.5):
                    got = key.data.read()
                    if got:
                        heard[key.data.key] = got
                        selector.unregister(key.fileobj)
        return heard

    def cpu_s(self):
        with open(f"/proc/{self.virga.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_messages_reach_all(self):
        self.sqs.send_message(QueueUrl=self.url, MessageBody="first")
        self.sqs.receive_message(QueueUrl=self.url)  # what is made at first use is not the pollers'
        threads, memory = self.threads(), self.virga.rss_bytes()
        self.poll(POLLERS, 20)
        begun = time.monotonic()
        time.sleep(2)
        each = (self.virga.rss_bytes() - memory) / POLLERS
        more = self.threads() - threads
        cpu = self.cpu_s()
        time.sleep(1)
        cpu = self.cpu_s() - cpu
        self.assertLessEqual(more, THREADS_MORE_MAX, "threads grow with pollers")
        if not SANITIZED:
            self.assertLess(each * POLLERS, BYTES_ONCE_MAX + BYTES_EACH_MAX * POLLERS)
            self.assertLess(cpu, 0.5, "pollers that wait keep the machine busy")
        left = max(20 - (time.monotonic() - begun), 1)
        sent = set()
        for first in range(0, POLLERS, 10):
            entries = [{"Id": str(i), "MessageBody": f"m{i}"} for i in range(first, min(first + 10, POLLERS))]
            self.assertFalse(self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed"))
            sent |= {e["MessageBody"] for e in entries}
        heard = self.answers(left + 60)
        self.assertEqual(len(heard), POLLERS)
        self.assertEqual({status for status, _ in heard.values()}, {200})
        got = [m["Body"] for _, answer in heard.values() for m in answer.get("Messages", [])]
        self.assertEqual(len(got), len(set(got)), "a message went to two")
        rest = self.drain()
        self.assertEqual(set(got) | rest, sent)
        self.assertFalse(set(got) & rest)
        # On a machine so slow that sending outlasts the poll, some go away empty: rightly.
        if time.monotonic() - begun < 20:
            self.assertEqual(len(got), POLLERS)
        print(f"\n{POLLERS} pollers: {more} threads more, {each / 1024:.1f} KiB each, {cpu * 100:.0f} % of a core while they wait, "
              f"{len(got)} of {POLLERS} got a message", flush=True)

    def drain(self):
        rest = set()
        while True:
            messages = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
            if not messages:
                return rest
            rest |= {m["Body"] for m in messages}

    def test_time_ends_for_all(self):
        begun = time.monotonic()
        self.poll(POLLERS, 3)
        connected = time.monotonic() - begun
        heard = self.answers(60)
        took = time.monotonic() - begun
        self.assertEqual(len(heard), POLLERS)
        self.assertEqual({status for status, _ in heard.values()}, {200})
        self.assertFalse([a for _, a in heard.values() if a.get("Messages")])
        self.assertGreaterEqual(took, 3)
        if not SANITIZED:
            self.assertLess(took, connected + 3 + 10)

    def test_clients_that_vanish_take_no_message_along(self):
        self.poll(POLLERS // 4, 20)
        time.sleep(0.5)
        for p in self.pollers:
            p.socket.close()
        self.pollers.clear()
        time.sleep(1)
        self.sqs.send_message(QueueUrl=self.url, MessageBody="for the living")
        # A poll whose client is gone takes nothing: the message is there for the next one, at once.
        got = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=5).get("Messages", [])
        self.assertEqual([m["Body"] for m in got], ["for the living"])


if __name__ == "__main__":
    unittest.main()
