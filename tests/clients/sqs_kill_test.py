"""kill -9 at random moments while queues are sent to and read: no message whose sending was answered is lost, none whose
deletion was answered comes again, the groups of a FIFO queue keep their order, and what is sent again with the same
deduplication id is there once. Rounds: VIRGA_SQS_KILLS (10)."""
import concurrent.futures
import os
import random
import threading
import time
import unittest

from botocore.config import Config
from botocore.exceptions import ClientError

from virga import Virga

ROUNDS = int(os.environ.get("VIRGA_SQS_KILLS", "10"))
GROUPS = 12
HIDDEN_S = 3


class Ledger:
    """What is known of each message (its group and number): whether its sending and its deletion were answered.

    A group's numbers rise by one; the next is sent only once the one before was answered, so what is on its way is
    `asked`, and is sent again after a crash. The standard queue uses the ledger too, a message being a group of its own
    there: no order is asked of it.
    """

    def __init__(self, ordered):
        self.ordered, self.lock = ordered, threading.Lock()
        self.sent, self.asked = set(), set()
        self.deleted, self.deleting = set(), set()
        self.received = 0

    def receive(self, case, batch):
        with self.lock:
            for group, number in batch:
                self.received += 1
                case.assertIn((group, number), self.sent | self.asked, "a message that nobody sent")
                case.assertNotIn((group, number), self.deleted, "a message whose deletion was answered came again, or came twice")
                if not self.ordered:
                    continue
                for earlier in range(number):
                    before = (group, earlier)
                    if before in self.deleted or before in batch[:batch.index((group, number))]:
                        continue
                    case.assertIn(before, self.deleting, f"{group}: {number} came before {earlier} was deleted")
                    # It was deleted, though the answer was lost: from now on it may not be seen.
                    self.deleting.discard(before)
                    self.deleted.add(before)

    def left(self):
        return self.sent - self.deleted - self.deleting


class SqsKill(unittest.TestCase):
    def test_nothing_answered_is_lost_and_order_is_kept(self):
        seed = int(os.environ.get("VIRGA_SEED", time.time_ns()))
        rng = random.Random(seed)
        with Virga() as self.virga, self.subTest(seed=seed):
            sqs = self.client()
            hidden = {"VisibilityTimeout": str(HIDDEN_S)}
            self.fifo_url = sqs.create_queue(QueueName="q.fifo", Attributes={**hidden, "FifoQueue": "true"})["QueueUrl"]
            self.url = sqs.create_queue(QueueName="q", Attributes=hidden)["QueueUrl"]
            self.fifo, self.plain = Ledger(True), Ledger(False)
            self.next = {f"g{n}": 0 for n in range(GROUPS)}
            self.serial = 0
            for _ in range(ROUNDS):
                self.stop = False
                jobs = [(self.send_fifo, range(0, GROUPS, 2)), (self.send_fifo, range(1, GROUPS, 2)), (self.send_plain, None),
                        (self.read, self.fifo), (self.read, self.fifo), (self.read, self.plain)]
                with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
                    running = [pool.submit(self.until_killed, job, argument, rng.random()) for job, argument in jobs]
                    time.sleep(rng.choice((0.1, 0.4, 1.0)) * rng.uniform(0.3, 1.5))
                    self.stop = True
                    self.virga.kill()
                    for job in running:
                        job.result()
                self.virga.start(self.virga.port)
            self.drain(self.fifo)
            self.drain(self.plain)
            for ledger, url in ((self.fifo, self.fifo_url), (self.plain, self.url)):
                self.assertGreater(len(ledger.sent), ROUNDS)
                self.assertEqual(ledger.left(), set(), "sending was answered, yet it never came")
                a = self.client().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
                self.assertEqual([a["ApproximateNumberOfMessages"], a["ApproximateNumberOfMessagesNotVisible"]], ["0", "0"])
            print(f"\n{ROUNDS} kills; FIFO: {len(self.fifo.sent)} sent, {self.fifo.received} received; "
                  f"standard: {len(self.plain.sent)} sent, {self.plain.received} received", flush=True)

    def client(self):
        return self.virga.client("sqs", config=Config(max_pool_connections=2))

    def until_killed(self, job, argument, seed):
        """A job ends by the crash. An answer that is an error is one at any time."""
        rng, sqs = random.Random(seed), self.client()
        try:
            while not self.stop:
                job(sqs, rng, argument)
        except (ClientError, AssertionError):
            raise
        except Exception:
            if not self.stop:
                raise

    def send_fifo(self, sqs, rng, groups):
        group = f"g{rng.choice(groups)}"
        number = self.next[group]
        self.fifo.asked.add((group, number))
        for _ in range(rng.choice((1, 1, 2))):  # at times twice, as a client that lost the answer does
            sqs.send_message(QueueUrl=self.fifo_url, MessageBody=f"{group} {number}", MessageGroupId=group,
                             MessageDeduplicationId=f"{group}-{number}")
        with self.fifo.lock:
            self.fifo.sent.add((group, number))
        self.next[group] = number + 1

    def send_plain(self, sqs, rng, _):
        names = [(f"s{self.serial + i}", 0) for i in range(rng.choice((1, 4, 10)))]
        self.serial += len(names)
        with self.plain.lock:
            self.plain.asked |= set(names)
        answer = sqs.send_message_batch(QueueUrl=self.url, Entries=[
            {"Id": name, "MessageBody": f"{name} 0", "DelaySeconds": rng.choice((0, 0, 1))} for name, _ in names])
        self.assertFalse(answer.get("Failed"))
        with self.plain.lock:
            self.plain.sent |= set(names)

    def read(self, sqs, rng, ledger):
        url = self.fifo_url if ledger.ordered else self.url
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=rng.choice((1, 3, 10)), WaitTimeSeconds=1).get("Messages", [])
        came = time.monotonic()
        batch = [(group, int(number)) for group, number in (m["Body"].split() for m in messages)]
        ledger.receive(self, batch)
        if rng.random() < 0.05:
            return  # a consumer that dies: all of it comes again
        for name, message in zip(batch, messages):
            if time.monotonic() - came > HIDDEN_S / 2:
                return  # so slow a machine: others may have it before long
            with ledger.lock:
                ledger.deleting.add(name)
            try:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            except ClientError:
                # Too late: it is shown again by now, and a FIFO queue refuses the old handle. The rest would be too late too.
                with ledger.lock:
                    ledger.deleting.discard(name)
                return
            with ledger.lock:
                ledger.deleting.discard(name)
                ledger.deleted.add(name)

    def drain(self, ledger):
        sqs, rng, end = self.client(), random.Random(0), time.monotonic() + 120
        quiet_since = time.monotonic()
        while time.monotonic() < end and time.monotonic() - quiet_since < HIDDEN_S + 2:
            before = ledger.received
            self.read(sqs, rng, ledger)
            if ledger.received != before:
                quiet_since = time.monotonic()


if __name__ == "__main__":
    unittest.main()
