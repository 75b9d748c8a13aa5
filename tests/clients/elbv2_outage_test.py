"""A process that dies, one that hangs: behind a balancer, under keep-alive load. Needs root."""
import signal
import unittest

from elbv2case import Faulty

NEEDS_BOTO3 = (1, 40)


class Outages(Faulty):
    def test_killed(self):
        """A process that dies takes with it only what it was answering."""
        def kill():
            self.processes["two"].kill()
            self.until(lambda: self.state(self.places[1]) == "unhealthy")

        said = self.under_load(kill)
        self.assertLessEqual(said["n_bad"], 4, said)
        said = self.under_load(lambda: [self.told(f"http://{self.ips[0]}/x") for _ in range(20)])
        self.assertEqual(said["n_bad"], 0, said)

    def test_hung(self):
        """A process that hangs is noticed by its checks; from then on nobody waits for it, and it comes back."""
        self.timeout(3)
        self.processes["two"].send_signal(signal.SIGSTOP)
        self.until(lambda: self.state(self.places[1]) == "unhealthy")
        self.until(lambda: {self.curl(f"http://{self.ips[0]}/x", limit="1")[0] for _ in range(4)} == {200})
        said = self.under_load(lambda: [self.told(f"http://{self.ips[0]}/x") for _ in range(20)])
        self.assertEqual(said["n_bad"], 0, said)

        def wakes():
            self.processes["two"].send_signal(signal.SIGCONT)
            self.until(lambda: self.state(self.places[1]) == "healthy")

        said = self.under_load(wakes)
        self.assertEqual(said["n_bad"], 0, said)


if __name__ == "__main__":
    unittest.main()
