"""Network Load Balancers whose targets see their clients, TCP: what ends connections and what does not. Real packets between namespaces;
needs root."""
import subprocess
import unittest

from elbv2flow import Flows
from virga import BINARY

NEEDS_BOTO3 = (1, 40)


class Streams(Flows):
    def test_tcp(self):
        a, b, client = self.places
        self.echo(a, 8012, "one"), self.echo(b, 8012, "two")
        lb, ip, tg = self.network("TCP", 8101, 8012, [a, b])
        t = self.talker()
        # IP targets see the balancer, unless told otherwise.
        self.answers(t, "tcp", ip, 8101, lambda r: r["peer"] == ip)
        self.set(tg, {"preserve_client_ip.enabled": "true", "deregistration_delay.timeout_seconds": "60",
                      "deregistration_delay.connection_termination.enabled": "true"})
        self.answers(t, "tcp", ip, 8101, lambda r: isinstance(r, dict) and r["peer"] == client["ip"])
        self.until(lambda: {t.ask("tcp", ip, 8101)["name"] for _ in range(20)} == {"one", "two"})
        # A target that is deregistered keeps what it has until its delay is over.
        kept = [t.open("tcp", ip, 8101) for _ in range(12)]
        of = {n: t.say(n)["name"] for n in kept}
        self.assertEqual(set(of.values()), {"one", "two"})
        self.elb.deregister_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
        self.until(lambda: {t.ask("tcp", ip, 8101)["name"] for _ in range(10)} == {"two"})
        self.assertEqual({n: t.say(n)["name"] for n in kept}, of)
        subprocess.run([BINARY, "clock", "advance", "61s", "--endpoint", self.virga.endpoint], check=True, stdout=subprocess.DEVNULL)
        ended = [n for n in kept if of[n] == "one"]
        self.until(lambda: not isinstance(t.say(ended[0]), dict))
        self.assertEqual({n: isinstance(t.say(n), dict) for n in kept}, {n: of[n] == "two" for n in kept})
        # What turns unhealthy loses its connections, and gets them again as the last one.
        self.elb.register_targets(TargetGroupArn=tg, Targets=[{"Id": a["ip"]}])
        self.healthy(tg, 2)
        self.until(lambda: {t.ask("tcp", ip, 8101)["name"] for _ in range(10)} == {"one", "two"})
        n = next(n for n in (t.open("tcp", ip, 8101) for _ in range(50)) if t.say(n)["name"] == "one")
        shut = self.group([(9, 9)])
        self.rule("tcp", client["ip"] + "/32", sg=shut)
        self.regroup(a, self.inner, shut)
        self.until(lambda: self.health(tg)[a["ip"] + ":8012"][0] == "unhealthy", lambda: self.health(tg))
        self.until(lambda: not isinstance(t.say(n), dict))
        self.regroup(a, shut, self.inner)
        self.healthy(tg, 2)
        self.processes["one"].kill(), self.processes["two"].kill()
        self.healthy(tg, 0)
        self.echo(b, 8012, "again")
        self.answers(t, "tcp", ip, 8101, lambda r: isinstance(r, dict) and r["name"] == "again")


if __name__ == "__main__":
    unittest.main()
