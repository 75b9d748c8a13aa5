"""What changes a balancer's configuration, one change after another, and clients of every kind that meanwhile keep asking. Needs root."""
import json
import os
import subprocess

from elbv2case import Place

# IP STOP: clients that keep their connection and clients that never do, in the clear and by TLS, until the file is there. Each
# kind makes FILE.KIND with its first answer.
ALL_LOAD = r"""
import http.client, json, os, ssl, sys, threading
tls = ssl._create_unverified_context()
good, bad = {}, []
def client(name, secure, keep):
    c = None
    while not os.path.exists(sys.argv[2]):
        try:
            if not c:
                c = http.client.HTTPSConnection(sys.argv[1], 443, timeout=20, context=tls) if secure else http.client.HTTPConnection(sys.argv[1], 80, timeout=20)
            c.request("GET", "/load", headers={} if keep else {"Connection": "close"})
            r = c.getresponse()
            body = r.read()
            if r.status == 200:
                good[name] = good.get(name, 0) + 1
                if good[name] == 1: open(sys.argv[2] + "." + name, "w").close()
            else: bad.append([name, r.status, body.decode()])
            if r.will_close or not keep: c.close(); c = None
        except Exception as e:
            bad.append([name, repr(e)]); c = None
threads = [threading.Thread(target=client, args=(f"{'tls' if s else 'plain'} {'kept' if k else 'new'}", s, k))
           for s in (False, True) for k in (True, False) for _ in range(int(sys.argv[3]))]
for t in threads: t.start()
for t in threads: t.join()
print(json.dumps({"good": good, "bad": bad[:5], "n_bad": len(bad)}))
"""


class Changing(Place):
    def stand(self):
        """A balancer with HTTP and HTTPS, a target in each zone, and what the changes below need."""
        a, b = self.places[:2]
        self.serve(a, 8001, "one"), self.serve(b, 8001, "two")
        self.tg = self.quick(Port=8001)
        self.elb.register_targets(TargetGroupArn=self.tg, Targets=[{"Id": a["ip"]}, {"Id": b["ip"]}])
        self.lb, self.ips = self.inside()
        self.forward = [{"Type": "forward", "TargetGroupArn": self.tg}]
        self.certificates = [self.acm.request_certificate(DomainName=f"{n}.example.com", ValidationMethod="DNS",
                                                          KeyAlgorithm="EC_prime256v1")["CertificateArn"] for n in ("one", "two")]
        self.until(lambda: all(self.acm.describe_certificate(CertificateArn=x)["Certificate"]["Status"] == "ISSUED" for x in self.certificates))
        self.plain = self.listener(self.lb, self.forward)
        self.secure = self.listener(self.lb, self.forward, Protocol="HTTPS", Port=443, Certificates=[{"CertificateArn": self.certificates[0]}])
        self.healthy(self.tg, 2)
        self.until(lambda: all(self.curl(f"{how}://{ip}/x", "-k")[0] == 200 for ip in self.ips for how in ("http", "https")))

    def changes(self):
        """Rules made, moved and removed, attributes of all kinds, certificates: in turn and without end; each is one change."""
        elb, i = self.elb, 0
        while True:
            i += 1
            made = self.change(self.lb, elb.create_rule, ListenerArn=self.plain, Priority=i, Conditions=[{"Field": "path-pattern", "Values": [f"/a{i}"]}],
                               Actions=self.forward)["Rules"][0]["RuleArn"]
            yield "rule made"
            self.change(self.lb, elb.modify_rule, RuleArn=made, Actions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}])
            yield "rule's action"
            self.change(self.lb, elb.add_listener_certificates, ListenerArn=self.secure, Certificates=[{"CertificateArn": self.certificates[i % 2]}])
            yield "certificate added"
            self.change(self.lb, elb.modify_load_balancer_attributes, LoadBalancerArn=self.lb["LoadBalancerArn"], Attributes=[
                {"Key": "routing.http.xff_client_port.enabled", "Value": "true" if i % 2 else "false"}])
            yield "balancer's attribute"
            self.change(self.lb, elb.modify_target_group_attributes, TargetGroupArn=self.tg, Attributes=[
                {"Key": "load_balancing.algorithm.type", "Value": "least_outstanding_requests" if i % 2 else "round_robin"}])
            yield "group's attribute"
            self.change(self.lb, elb.modify_rule, RuleArn=made, Conditions=[{"Field": "path-pattern", "Values": [f"/b{i}", f"/c{i}"]}])
            yield "rule's condition"
            self.change(self.lb, elb.remove_listener_certificates, ListenerArn=self.secure, Certificates=[{"CertificateArn": self.certificates[i % 2]}])
            yield "certificate removed"
            self.change(self.lb, elb.modify_listener, ListenerArn=self.secure, Certificates=[{"CertificateArn": self.certificates[i % 2]}])
            yield "certificate changed"
            self.change(self.lb, elb.modify_listener_attributes, ListenerArn=self.secure, Attributes=[
                {"Key": "routing.http.response.server.enabled", "Value": "false" if i % 2 else "true"}])
            yield "listener's attribute"
            self.change(self.lb, elb.delete_rule, RuleArn=made)
            yield "rule gone"

    def under_all_load(self, what, each=1):
        stop = os.path.join(self.virga.folder, self.name("stop"))
        load = subprocess.Popen(["ip", "netns", "exec", self.space(self.places[2]["eni"]), "python3", "-c", ALL_LOAD, self.ips[0], stop,
                                 str(each)], stdout=subprocess.PIPE, text=True)
        kinds = [f"{a} {b}" for a in ("plain", "tls") for b in ("kept", "new")]
        try:
            self.until(lambda: all(os.path.exists(f"{stop}.{k}") for k in kinds))
            what()
        finally:
            open(stop, "w").close()
            said = json.loads(load.communicate()[0])
        return said
