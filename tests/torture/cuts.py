"""T-11: an HTTP exchange of 4 kB is cut at every byte, of the request and of the answer, by FIN and by RST.

    cuts.py --count all      every offset
    cuts.py --count 400      so many, evenly spread
"""

import argparse
import collections
import json
import shutil
import sqlite3
import subprocess

import common
from scripted import ANSWER, Scripted, end

EVENTS = 10


def cut_request(offset, resets):
    def script(connection):
        got = 0
        while got < offset:
            part = connection.recv(offset - got)
            if not part:
                break
            got += len(part)
        end(connection, resets)
    return script


def cut_answer(server, offset, resets):
    def script(connection):
        if server.accept(connection):
            connection.sendall(ANSWER[:offset])
        end(connection, resets)
    return script


def enqueue(path, cut, events=EVENTS):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate")
    users = [f"{cut}-{i}" for i in range(events)]
    for user in users:
        payload = {"event_name": "signed_up", "user_id": user, "timestamp": "2024-10-20T15:51:35.059000Z",
                   "properties": {"filling": "x" * 260}}
        db.execute("insert into outbox_events (payload) values (?)", (json.dumps(payload),))
        db.execute("insert into notes values (?)", (user,))
    db.execute("commit")
    db.close()
    return users


def judge(users, bodies, settled, was_accepted, is_whole):
    if settled != "pending=0 dead=0 integrity=ok problems=0":
        return [settled]
    counts = collections.Counter(body["user_id"] for body in bodies)
    wrong = [f"{user} arrived {counts[user]} times" for user in users if counts[user] == 0]
    least = 2 if was_accepted and not is_whole else 1  # an answer that broke off is no answer
    wrong += [f"{user} arrived {counts[user]} times, not {least}" for user in users
              if counts[user] != least and not (is_whole and counts[user] <= 2)]
    wrong += [f"{user} is nobody's" for user in counts if user not in users]
    if len({json.dumps(body, sort_keys=True) for body in bodies}) != len(users):
        wrong.append("other bytes")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", default="400")
    arguments = parser.parse_args()
    server = Scripted()
    failures, done = [], 0
    with common.Folder() as folder:
        template = folder.file("template")
        subprocess.run([common.HOST, "migrate", template], check=True)
        settler = common.Settler(server.url, "20", "5000")  # what is under way is not given up
        path = folder.file("app.db")

        shutil.copy(template, path)
        enqueue(path, "length")
        settler.settle(path)
        body_length = next(int(line.split(":")[1]) for line in server.heads[0].split("\r\n")
                           if line.startswith("Content-Length"))
        request = len(server.heads[0]) + 4 + body_length
        cuts = [("request", at, resets) for at in range(request) for resets in (False, True)]
        cuts += [("answer", at, resets) for at in range(len(ANSWER) + 1) for resets in (False, True)]
        wanted = len(cuts) if arguments.count == "all" else min(int(arguments.count), len(cuts))
        for number in range(wanted):
            where, at, resets = cuts[number * len(cuts) // wanted]
            if number % 100 == 0:  # a file that does not grow
                path = folder.file(f"{number}.db")
                shutil.copy(template, path)
            users = enqueue(path, number)
            server.bodies.clear()
            server.script = cut_request(at, resets) if where == "request" else cut_answer(server, at, resets)
            settled = settler.settle(path)
            is_whole = where == "answer" and at == len(ANSWER)
            wrong = judge(users, server.bodies, settled, where == "answer", is_whole)
            failures += [f"{where} cut at {at} by {'RST' if resets else 'FIN'}: {text}" for text in wrong]
            done += 1
        settler.close()
    common.finish(done, failures, "-", f"note=of_{len(cuts)}_cuts_of_a_request_of_{request}_bytes")


if __name__ == "__main__":
    main()
