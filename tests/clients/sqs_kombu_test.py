"""kombu, the messaging library under Celery, with its SQS transport: queues are made, objects go through, what is refused comes
again, an unacknowledged message is shown again once the visibility timeout is over. Skipped where kombu is not installed."""
import socket
import sys
import time
import unittest

# Debian's kombu is plain Python, of use to another Python too; that one's own libraries go first.
sys.path.append("/usr/lib/python3/dist-packages")
try:
    import kombu
    import kombu.transport.SQS  # needs boto3 too
except ImportError:
    kombu = None

from virga import Virga


@unittest.skipUnless(kombu, "no kombu with SQS")
class Kombu(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.virga = Virga().start()
        cls.addClassCleanup(cls.virga.close)

    def connection(self, **options):
        return kombu.Connection(f"sqs://test:test@127.0.0.1:{self.virga.port}", transport_options={
            "region": "us-east-1", "is_secure": False, "wait_time_seconds": 1, "visibility_timeout": 30, **options})

    def drain(self, connection, queue, wanted, act):
        """Consumes until `wanted` messages were handled by act(body, message)."""
        bodies = []

        def handle(body, message):
            bodies.append(body)
            act(body, message)

        end = time.monotonic() + 60
        with kombu.Consumer(connection, [queue], callbacks=[handle], accept=["json"]):
            while len(bodies) < wanted and time.monotonic() < end:
                try:
                    connection.drain_events(timeout=2)
                except socket.timeout:
                    pass
        self.assertEqual(len(bodies), wanted)
        return bodies

    def counts(self, name):
        sqs = self.virga.client("sqs")
        a = sqs.get_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], AttributeNames=["All"])["Attributes"]
        return int(a["ApproximateNumberOfMessages"]), int(a["ApproximateNumberOfMessagesNotVisible"])

    def test_a_simple_queue(self):
        sent = [{"n": n, "text": "grüße <&>", "list": [1, None, {"a": 0.5}]} for n in range(12)]
        with self.connection() as connection:
            with connection.SimpleQueue("simple") as queue:
                for body in sent:
                    queue.put(body)
                got = []
                for _ in sent:
                    message = queue.get(timeout=20)
                    got.append(message.payload)
                    message.ack()
            self.assertEqual(sorted(got, key=lambda b: b["n"]), sent)
        self.assertEqual(self.counts("simple"), (0, 0))

    def test_producer_and_consumer(self):
        exchange = kombu.Exchange("media", "direct")
        queue = kombu.Queue("video", exchange, routing_key="video")
        with self.connection() as connection:
            producer = connection.Producer(serializer="json")
            for n in range(20):
                producer.publish({"name": f"/tmp/lolcat{n}.avi", "size": n}, exchange=exchange, routing_key="video", declare=[queue])
            bodies = self.drain(connection, queue, 20, lambda body, message: message.ack())
            self.assertEqual(sorted(b["size"] for b in bodies), list(range(20)))
        self.assertEqual(self.counts("video"), (0, 0))

    def test_what_is_not_acknowledged_comes_again(self):
        queue = kombu.Queue("again", kombu.Exchange("again"), routing_key="again")
        with self.connection(visibility_timeout=2) as connection:
            connection.Producer().publish({"n": 1}, exchange=queue.exchange, routing_key="again", declare=[queue])
            self.drain(connection, queue, 1, lambda body, message: message.requeue())
            self.drain(connection, queue, 1, lambda body, message: message.ack())
        self.assertEqual(self.counts("again"), (0, 0))


if __name__ == "__main__":
    unittest.main()
