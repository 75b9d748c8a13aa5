"""The application tier: a shop's catalogue, carts and orders in PostgreSQL, pictures in S3.

    python3 shop.py            configured by the environment: DB_HOST DB_PORT DB_SECRET BUCKET AWS_REGION PORT
"""
import base64
import json
import os
import re
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pg
from aws import Aws, metadata

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS products (id serial PRIMARY KEY, name text NOT NULL UNIQUE, price int NOT NULL, picture text)",
    "CREATE TABLE IF NOT EXISTS carts (cart text, product int REFERENCES products, number int NOT NULL, "
    "PRIMARY KEY (cart, product))",
    "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, made timestamptz NOT NULL DEFAULT now(), total int NOT NULL, "
    "things jsonb NOT NULL)",
    "INSERT INTO products (name, price) VALUES ('Cumulus cushion', 4900), ('Rain gauge', 2450), ('Weather vane', 8900), "
    "('Barometer', 12900) ON CONFLICT DO NOTHING",
)
LOCK = "SELECT pg_advisory_xact_lock(4566)"  # several instances begin at once


class Shop:
    def __init__(self):
        self.aws, self.bucket = Aws(os.environ["AWS_REGION"]), os.environ["BUCKET"]
        self.where = {"instance": metadata("meta-data/instance-id"), "zone": metadata("meta-data/placement/availability-zone")}
        self.sign_in, self.pool = None, pg.Pool(self.connect)
        self.pool.run(self.prepare)

    def connect(self):
        self.sign_in = self.sign_in or self.aws.secret(os.environ["DB_SECRET"])
        try:
            return pg.Connection(os.environ["DB_HOST"], int(os.environ["DB_PORT"]), self.sign_in["username"],
                                 self.sign_in["password"], "shop")
        except pg.Error as e:
            if e.code.startswith("28"):
                self.sign_in = None  # the password was rotated
            raise

    @staticmethod
    def transaction(c, work):
        c.query("BEGIN")
        try:
            result = work()
            c.query("COMMIT")
            return result
        except pg.Error:
            try:
                c.query("ROLLBACK")
            except (OSError, pg.Error):
                pass
            raise

    def prepare(self, c):
        self.transaction(c, lambda: [c.query(text) for text in (LOCK, *SCHEMA)])

    def products(self):
        rows = self.pool.run(lambda c: c.query("SELECT id, name, price, picture FROM products ORDER BY id"))
        return [{"id": int(i), "name": n, "price": int(p), "picture": k and "/pictures/" + k} for i, n, p, k in rows]

    def add_product(self, name, price, picture=None):
        key = None
        if picture:
            key = f"{uuid.uuid4().hex}.{'png' if picture.startswith('data:image/png') else 'jpg'}"
            self.aws.s3_put(self.bucket, "pictures/" + key, base64.b64decode(picture.split(",")[-1]), kind_of(key))
        self.pool.run(lambda c: c.query("INSERT INTO products (name, price, picture) VALUES ($1, $2, $3) ON CONFLICT (name) "
                                        "DO UPDATE SET price = excluded.price, picture = excluded.picture", name, int(price), key))

    def cart(self, cart):
        rows = self.pool.run(lambda c: c.query("SELECT p.id, p.name, p.price, k.number FROM carts k JOIN products p ON "
                                               "p.id = k.product WHERE k.cart = $1 ORDER BY p.id", cart))
        return [{"id": int(i), "name": n, "price": int(p), "number": int(k)} for i, n, p, k in rows]

    def put_in_cart(self, cart, product):
        self.pool.run(lambda c: c.query("INSERT INTO carts VALUES ($1, $2, 1) ON CONFLICT (cart, product) DO UPDATE SET "
                                        "number = carts.number + 1", cart, int(product)))

    def order(self, cart, order):
        """order: an id that the customer chose, so that asking twice orders once."""
        def work(c):
            def inside():
                if c.query("SELECT 1 FROM orders WHERE id = $1", order):
                    return
                c.query("INSERT INTO orders (id, total, things) SELECT $1, sum(p.price * k.number), json_agg(json_build_object("
                        "'name', p.name, 'number', k.number)) FROM carts k JOIN products p ON p.id = k.product WHERE k.cart = $2 "
                        "HAVING count(*) > 0", order, cart)
                c.query("DELETE FROM carts WHERE cart = $1", cart)
            self.transaction(c, inside)
            return c.query("SELECT id, total FROM orders WHERE id = $1", order)
        rows = self.pool.run(work)
        return {"order": rows[0][0], "total": int(rows[0][1])} if rows else None

    def orders(self):
        rows = self.pool.run(lambda c: c.query("SELECT id, made, total, things FROM orders ORDER BY made DESC LIMIT 50"))
        return [{"order": i, "made": m, "total": int(t), "things": json.loads(k)} for i, m, t, k in rows]

    def order_ids(self):
        return [row[0] for row in self.pool.run(lambda c: c.query("SELECT id FROM orders"))]

    def about(self):
        address, count = self.pool.run(lambda c: c.query("SELECT host(inet_server_addr()), (SELECT count(*) FROM orders)"))[0]
        return {**self.where, "database": address, "orders": int(count)}


def kind_of(key):
    return "image/png" if key.endswith(".png") else "image/jpeg"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shop = None

    def answer(self, code, body, kind="application/json"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Application", f"{self.shop.where['instance']} {self.shop.where['zone']}")
        self.end_headers()
        self.wfile.write(body)

    def handle_with(self, routes):
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            for pattern, work in routes:
                found = re.fullmatch(pattern, self.path.split("?")[0])
                if found:
                    return work(json.loads(body) if body else {}, *found.groups())
            self.answer(404, {"error": "no such page"})
        except (KeyError, ValueError, TypeError) as e:
            self.answer(400, {"error": str(e)})
        except Exception as e:  # the load balancer and the customer get a word, the log the rest
            self.log_error("%r", e)
            self.answer(503, {"error": str(e)})

    def do_GET(self):
        shop = self.shop
        self.handle_with((
            ("/health", lambda b: self.answer(200, {"healthy": True})),
            ("/api/about", lambda b: self.answer(200, shop.about())),
            ("/api/products", lambda b: self.answer(200, shop.products())),
            ("/api/carts/([0-9a-f-]{36})", lambda b, cart: self.answer(200, shop.cart(cart))),
            ("/api/orders", lambda b: self.answer(200, shop.orders())),
            ("/api/orders/ids", lambda b: self.answer(200, shop.order_ids())),
            ("/pictures/([0-9a-f]{32}[.](?:png|jpg))",
             lambda b, key: self.answer(200, shop.aws.s3_get(shop.bucket, "pictures/" + key), kind_of(key))),
        ))

    def do_POST(self):
        shop = self.shop

        def order(body):
            made = shop.order(str(uuid.UUID(body["cart"])), str(uuid.UUID(body["order"])))
            self.answer(201 if made else 409, made or {"error": "the cart is empty"})

        self.handle_with((
            ("/api/products", lambda b: self.answer(201, shop.add_product(b["name"], b["price"], b.get("picture")))),
            ("/api/carts/([0-9a-f-]{36})", lambda b, cart: self.answer(201, shop.put_in_cart(cart, b["product"]))),
            ("/api/orders", order),
        ))

    def log_request(self, *_):
        pass


if __name__ == "__main__":
    Handler.shop = Shop()
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
    server.daemon_threads = True
    print("shop: ready", flush=True)
    server.serve_forever()
