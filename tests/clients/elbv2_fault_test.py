"""Targets that misbehave, and changes that nobody may notice (blue/green by weights, a canary by header), under keep-alive load. Needs root."""
import subprocess
import threading
import unittest

from elbv2case import Faulty

NEEDS_BOTO3 = (1, 40)

# Heads that never end, an answer cut short, an answer that is longer than it says.
BAD_SERVER = r"""
import socket, sys, threading
def serve(c):
    head = c.recv(65536)
    try:
        if b" /health" in head: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        elif b" /endless" in head:
            c.sendall(b"HTTP/1.1 200 OK\r\n")
            while True: c.sendall(b"X-More: " + b"a" * 200 + b"\r\n")
        elif b" /short" in head: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot a hundred")
        elif b" /smuggle" in head: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        elif b" /twice" in head: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc")
    except OSError: pass
    c.close()
s = socket.create_server(("0.0.0.0", int(sys.argv[1])))
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
PAGE = b"<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n</body>\r\n</html>\r\n"


class Faults(Faulty):
    def test_faults(self):
        """One balancer for both: what takes longest is to stand there with healthy targets."""
        self.bad_answers()
        self.blue_green()
        self.nobody.join()
        code, head, body = self.nobody_said
        self.assertEqual((code, head["server"], body), (504, "awselb/2.0", PAGE))

    def bad_answers(self):
        """A target that hangs, resets or talks nonsense harms no other request."""
        bad = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[0]["eni"]), "python3", "-c", BAD_SERVER, "8020"])
        self.processes["bad"] = bad
        self.servers.append(bad)
        tg = self.quick(Port=8020)
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": self.places[0]["ip"]}])
        self.elb.create_rule(ListenerArn=self.front, Priority=1, Conditions=[
            {"Field": "path-pattern", "Values": ["/endless", "/short", "/smuggle", "/twice"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": tg}])
        # "failed to establish a connection before the connection timeout expired (10 seconds)": a target that nobody is at.
        nobody = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=nobody, Targets=[{"Id": "10.20.0.200"}])
        self.elb.create_rule(ListenerArn=self.front, Priority=3, Conditions=[{"Field": "path-pattern", "Values": ["/nobody"]}],
                             Actions=[{"Type": "forward", "TargetGroupArn": nobody}])
        self.healthy(tg, 1)
        self.timeout(2)
        url = f"http://{self.ips[0]}"

        def wait_for_nobody():
            self.nobody_said = self.curl(url + "/nobody", limit="60")

        self.nobody = threading.Thread(target=wait_for_nobody)
        self.nobody.start()

        def bad_requests():
            said = {}

            def ask(path):
                said[path] = self.curl(url + path)

            many = [threading.Thread(target=ask, args=(p,)) for p in ("/endless", "/short", "/smuggle", "/twice", "/slow9", "/reset", "/garbage")]
            for t in many:
                t.start()
            for t in many:
                t.join()
            self.assertEqual({p: r[0] for p, r in said.items()}, {
                "/endless": 502, "/short": 0, "/smuggle": 200, "/twice": 502, "/slow9": 504, "/reset": 502, "/garbage": 502})
            self.assertEqual(said["/smuggle"][2], b"ok")
            self.assertEqual((said["/slow9"][1]["server"], said["/slow9"][2]), ("awselb/2.0", PAGE))

        said = self.under_load(bad_requests)
        self.assertEqual(said["n_bad"], 0, said)

    def blue_green(self):
        """Traffic moves from one group to another by weights, and a canary by its header, with no request lost."""
        self.timeout(60)
        blue, green = (self.quick(Port=8001) for _ in range(2))
        for tg, place in ((blue, self.places[0]), (green, self.places[1])):
            self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": place["ip"]}])

        def weights(b, g):
            self.elb.modify_listener(ListenerArn=self.front, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": [
                {"TargetGroupArn": blue, "Weight": b}, {"TargetGroupArn": green, "Weight": g}]}}])

        def names(*args):
            return {self.told(f"http://{self.ips[0]}/x", *args)["name"] for _ in range(12)}

        weights(100, 0)
        for tg in (blue, green):
            self.healthy(tg, 1)
        self.elb.create_rule(ListenerArn=self.front, Priority=2, Conditions=[
            {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Canary", "Values": ["on"]}}],
            Actions=[{"Type": "forward", "TargetGroupArn": green}])

        def move():
            self.until(lambda: names() == {"one"} and names("-H", "X-Canary: on") == {"two"})
            weights(50, 50)
            self.until(lambda: names() == {"one", "two"})
            weights(0, 100)
            self.until(lambda: names() == {"two"})

        said = self.under_load(move)
        self.assertEqual(said["n_bad"], 0, said)


if __name__ == "__main__":
    unittest.main()
