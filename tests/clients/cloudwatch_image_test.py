"""GetMetricWidgetImage: the picture is decoded, and looked at where lines, bars and bands have to be."""
import datetime
import json
import os
import struct
import unittest
import zlib

from botocore.exceptions import ClientError

from virga import Virga


class Picture:
    """PNG ("Portable Network Graphics (PNG) Specification"): 8 bits, RGB or RGBA, not interlaced."""

    def __init__(self, data):
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        at, packed = 8, b""
        while at < len(data):
            n, kind = struct.unpack(">I4s", data[at:at + 8])
            chunk = data[at + 8:at + 8 + n]
            assert zlib.crc32(data[at + 4:at + 8 + n]) == struct.unpack(">I", data[at + 8 + n:at + 12 + n])[0]
            if kind == b"IHDR":
                self.width, self.height, bits, colour, *rest = struct.unpack(">IIBBBBB", chunk)
                assert bits == 8 and colour in (2, 6) and rest == [0, 0, 0]
            elif kind == b"IDAT":
                packed += chunk
            at += n + 12
        self.step = 4 if colour == 6 else 3
        raw, stride, above = zlib.decompress(packed), self.width * self.step, bytearray(self.width * self.step)
        self.rows = []
        for y in range(self.height):
            how, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
            for i in range(stride):
                left, up, corner = (row[i - self.step] if i >= self.step else 0), above[i], (above[i - self.step] if i >= self.step else 0)
                if how == 1:
                    row[i] = row[i] + left & 255
                elif how == 2:
                    row[i] = row[i] + up & 255
                elif how == 3:
                    row[i] = row[i] + (left + up) // 2 & 255
                elif how == 4:
                    p = left + up - corner
                    near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
                    row[i] = row[i] + near & 255
            self.rows.append(row)
            above = row

    def at(self, x, y):
        return tuple(self.rows[y][x * self.step:x * self.step + 3])

    def find(self, colour, x=None, off=40):
        """Rows of a column (or all pixels) that have nearly this colour."""
        near = lambda c: all(abs(a - b) <= off for a, b in zip(c, colour))
        if x is None:
            return [(i, y) for y in range(self.height) for i in range(self.width) if near(self.at(i, y))]
        return [y for y in range(self.height) if near(self.at(x, y))]


RED, GREEN, BLUE = (214, 39, 40), (0, 170, 0), (0, 0, 255)


@unittest.skipIf(not any(os.path.exists(f"{d}/libcairo.so.2") for d in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64")),
                 "cairo is not installed")
class Images(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.v = Virga().start()
        cls.addClassCleanup(cls.v.close)
        cls.cw = cls.v.client("cloudwatch")
        # An hour in minutes: a goes up from 0 to 59, b stays at 30.
        cls.start = datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=3)
        for name, value in (("a", lambda i: i), ("b", lambda i: 30)):
            cls.cw.put_metric_data(Namespace="N", MetricData=[
                {"MetricName": name, "Timestamp": cls.start + datetime.timedelta(minutes=i), "Value": value(i),
                 "Dimensions": [{"Name": "D", "Value": "x"}]} for i in range(60)])

    def image(self, metrics, width=400, height=300, **kw):
        widget = {"metrics": metrics, "width": width, "height": height, "start": self.start.isoformat(), "period": 60,
                  "end": (self.start + datetime.timedelta(minutes=60)).isoformat(), "legend": {"position": "hidden"},
                  "yAxis": {"left": {"min": 0, "max": 60}}, **kw}
        p = Picture(self.cw.get_metric_widget_image(MetricWidget=json.dumps(widget))["MetricWidgetImage"])
        self.assertEqual((p.width, p.height), (width, height))
        return p

    def plot(self, p):
        """left, right, top, bottom of the plot of a picture without title: margins are the same in all."""
        return 56, p.width - 10, 14, p.height - 26

    def test_lines(self):
        p = self.image([["N", "a", "D", "x", {"color": "#00aa00"}], [".", "b", ".", "."], ["N", "none"]])
        left, right, top, bottom = self.plot(p)
        for share in (0.2, 0.4, 0.75):
            x = int(left + (right - left) * share)
            rows = p.find(GREEN, x, 90)
            self.assertTrue(rows)
            want = bottom - (bottom - top) * share  # it rises by one a minute: as far up as right
            self.assertLess(abs(sum(rows) / len(rows) - want), 4, (share, rows, want))
        flat = p.find((255, 127, 14), left + 60, 90)
        self.assertLess(abs(sum(flat) / len(flat) - (top + bottom) / 2), 2)
        self.assertEqual(p.at(2, 2), (255, 255, 255))

    def test_title_legend_theme(self):
        plain = self.image([["N", "a", "D", "x"]])
        titled = self.image([["N", "a", "D", "x", {"label": "Something"}]], title="A title", legend={"position": "bottom"})
        dark = lambda p, y0, y1: sum(sum(p.at(x, y)) < 500 for y in range(y0, y1) for x in range(100, 300))
        self.assertEqual(dark(plain, 4, 13), 0)
        self.assertGreater(dark(titled, 4, 24), 20)
        self.assertTrue(titled.find((31, 119, 180), 60, 20)[-1] > 280)  # the legend's square
        night = self.image([["N", "a", "D", "x"]], theme="dark")
        self.assertLess(sum(night.at(2, 2)), 200)
        side = self.image([["N", "a", "D", "x", {"label": "Something"}]], legend={"position": "right"})
        self.assertTrue([x for x, y in side.find((31, 119, 180), None, 20) if x > 300 and y < 40])

    def test_stacked_and_expression(self):
        p = self.image([["N", "b", "D", "x", {"id": "m1", "visible": False}], [{"expression": "m1 * 2", "id": "e1", "color": "#0000ff"}]])
        left, right, top, bottom = self.plot(p)
        rows = p.find(BLUE, left + 100, 120)
        self.assertLess(abs(sum(rows) / len(rows) - top), 3)
        p = self.image([["N", "b", "D", "x"], ["...", {"color": "#0000ff"}]], stacked=True)
        self.assertLess(abs(p.find(BLUE, left + 100, 120)[0] - top), 3)  # 30 upon 30
        self.assertNotEqual(p.at(left + 100, (top + bottom) // 2 + 40), (255, 255, 255))  # filled

    def test_annotations(self):
        p = self.image([["N", "b", "D", "x"]], annotations={
            "horizontal": [{"value": 45, "label": "limit", "color": "#d62728", "fill": "above"}],
            "vertical": [{"value": (self.start + datetime.timedelta(minutes=30)).isoformat(), "color": "#00aa00"}]})
        left, right, top, bottom = self.plot(p)
        y = round(bottom - (bottom - top) * 0.75)
        self.assertGreater(sum(any(abs(r - y) <= 1 for r in p.find(RED, x, 60)) for x in range(left, right)), 80)  # dashes
        above = p.at(left + 30, top + 10)
        self.assertTrue(above[0] > above[1] + 15, above)
        self.assertGreater(len(p.find(GREEN, (left + right) // 2, 90)), 60)

    def test_views(self):
        bars = self.image([["N", "b", "D", "x", {"color": "#0000ff"}], [".", "a", ".", ".", {"color": "#00aa00"}]], view="bar")
        left, right, top, bottom = self.plot(bars)
        self.assertLess(abs(bars.find(BLUE, left + (right - left) // 4, 10)[0] - (top + bottom) / 2), 3)
        self.assertLess(abs(bars.find(GREEN, left + (right - left) * 3 // 4, 10)[0] - (bottom - (bottom - top) * 59 / 60)), 3)
        pie = self.image([["N", "b", "D", "x", {"color": "#0000ff"}], [".", "a", ".", ".", {"color": "#00aa00"}]], view="pie")
        blue, green = len(pie.find(BLUE, None, 10)), len(pie.find(GREEN, None, 10))
        self.assertLess(abs(blue / (blue + green) - 30 / 89), 0.01)
        number = self.image([["N", "b", "D", "x"]], view="singleValue")
        self.assertGreater(len(number.find((84, 92, 102), None, 40)), 200)

    def test_refused(self):
        ask = lambda text, **kw: self.cw.get_metric_widget_image(MetricWidget=text, **kw)
        for text in ("{", "[]", "{}", '{"metrics": 3}', '{"metrics": [["N"]]}', '{"metrics": [["N", "a", "D"]]}', '{"metrics": [[".", "."]]}',
                     '{"metrics": [["N", "a"]], "width": 5000}', '{"metrics": [["N", "a"]], "start": "yesterday"}',
                     '{"metrics": [["N", "a"]], "period": 7}', '{"metrics": [["N", "a", {"stat": "Most"}]]}',
                     '{"metrics": [[{"expression": "m1 +"}]]}', '{"metrics": [["N", "a"]], "view": "hologram"}'):
            with self.assertRaises(ClientError, msg=text) as e:
                ask(text)
            self.assertEqual(e.exception.response["Error"]["Code"], "ValidationError", text)
        with self.assertRaises(ClientError):
            ask('{"metrics": [["N", "a"]]}', OutputFormat="image/png")
        self.assertEqual(Picture(ask('{"metrics": [["N", "a"]], "start": "-PT3H"}')["MetricWidgetImage"]).width, 600)
        Picture(ask('{"metrics": [["N", "a"]], "width": 1, "height": 1}')["MetricWidgetImage"])


if __name__ == "__main__":
    unittest.main()
