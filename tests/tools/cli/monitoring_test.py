"""The metrics, and what docs/monitoring makes of them: alerts and a dashboard that name what exists, and what
Prometheus' own tool says of all three."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import CliTest, event  # noqa: E402

MONITORING = pathlib.Path(__file__).parents[3] / "docs" / "monitoring"
needs_promtool = unittest.skipUnless(shutil.which("promtool"), "no promtool: Debian's prometheus")


def promtool(test, *arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, text=True, capture_output=True, cwd=MONITORING)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr


class Metrics(CliTest):
    def exposition(self):
        """Of a process that has delivered three events."""
        self.cli("migrate")
        self.cli("enqueue", text=event("u1") + event("u2") + event("u3"))
        file = self.folder / "outbox.prom"
        self.cli("run", "--url", self.endpoint().url, "--timeout", "1s", "--metrics-file", str(file))
        return file.read_text()

    def test_a_dispatcher_shows_how_long_requests_took_and_how_old_events_were(self):
        text = self.exposition()
        self.assertIn('outbox_delivery_lag_seconds_count{destination="track"} 3\n', text)
        self.assertIn('outbox_delivery_lag_seconds_bucket{destination="track",le="+Inf"} 3\n', text)
        self.assertRegex(text, r'outbox_request_duration_seconds_count\{destination="track"\} [1-3]\n')
        self.assertIn('outbox_events_delivered_total{destination="track"} 3\n', text)

    @needs_promtool
    def test_the_exposition_is_what_prometheus_reads(self):
        self.assertEqual(promtool(self, "check", "metrics", text=self.exposition()), "")

    def test_alerts_and_dashboard_ask_for_what_there_is(self):
        text = self.exposition()
        names = set(re.findall(r"^(outbox_\w+)", text, re.M))
        labels = {name: set(re.findall(r'(\w+)="', "".join(re.findall(rf"^{name}(\{{.*?\}})", text, re.M))))
                  for name in names}
        dashboard = json.loads((MONITORING / "dashboard.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        asked += re.findall(r"expr: (.*)", (MONITORING / "alerts.yml").read_text())
        self.assertGreater(len(asked), 15)
        for expression in asked:
            found = re.findall(r"(outbox_\w+)(?:\{([^}]*)\})?", expression)
            self.assertTrue(found, expression)
            for name, selector in found:
                self.assertIn(name, names)
                for label in re.findall(r"(\w+)=~?\"", selector):
                    self.assertIn(label, labels[name], expression)

    @needs_promtool
    def test_the_alerts_fire_when_they_should(self):
        promtool(self, "check", "rules", "alerts.yml")
        self.assertIn("SUCCESS", promtool(self, "test", "rules", "alerts_test.yml"))


if __name__ == "__main__":
    unittest.main()
