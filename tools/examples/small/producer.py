"""A producer in Python: the event is one INSERT in the app's own transaction.

    producer.py DATABASE USER
"""

import json
import sqlite3
import sys
from datetime import datetime, timezone

path, user = sys.argv[1:]
db = sqlite3.connect(path, timeout=5, isolation_level=None)  # transactions are begun by hand
db.execute("begin immediate")
db.execute("create table if not exists users (id text primary key)")
db.execute("insert into users values (?)", (user,))
db.execute("insert into outbox_events (payload) values (?)", (json.dumps({
    "event_name": "signed_up",
    "user_id": user,
    "timestamp": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
}),))
db.execute("commit")  # the user and the event, or neither
