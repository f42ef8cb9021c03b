"""T-26: does a test notice when one line of lib/core says something else? Changes one operator, number or statement
at a time, builds that file, and runs the tests and the simulation until something fails.

    mutate.py --count 200 [--seed 7] [--minutes 20]

Drawn at random of all that could be changed. What no compiler accepts is not counted. Prints what survived: to be
read by a person, since some changes make no difference. It makes a build of its own, file by file: build/mutation."""

import argparse
import glob
import json
import os
import re
import shlex
import subprocess
import time

import common

NUMBER = (re.compile(r"(?<![\w.'])(\d+)(?![\w.'])"), lambda found: str(int(found[1]) + 1))
RULES = [(re.compile(pattern), (lambda text: lambda _: text)(text)) for pattern, text in [
    (r"(?<= )==(?= )", "!="), (r"(?<= )!=(?= )", "=="), (r"(?<= )<=(?= )", "<"), (r"(?<= )>=(?= )", ">"),
    (r"(?<= )<(?= )", "<="), (r"(?<= )>(?= )", ">="), (r"(?<= )&&(?= )", "||"), (r"(?<= )\|\|(?= )", "&&"),
    (r"(?<= )\+(?= )", "-"), (r"(?<= )-(?= )", "+"), (r"(?<= )\*(?= )", "/"), (r"(?<= )/(?= )", "*"),
    (r"(?<= )\+=(?= )", "-="), (r"(?<= )-=(?= )", "+="), (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"(?<=[( ])!(?=\w)", ""), (r"\bstd::min\b", "std::max"), (r"\bstd::max\b", "std::min"),
    (r"(?<=return )(?!std::nullopt|0;|false;)[^;{]+(?=;)", "{}"), (r"\bcontinue;", "break;"),
    (r"^\s+[\w.\[\]]+(?:->[\w.]+)* [-+]?= [^;]*;$", ";"), (r"^\s+[\w.]+(?:->[\w.]+)*\([^;]*\);$", ";"),
]] + [NUMBER]
# Quick ones first: a program of the tests of lib/core alone, then tests of all rooms, then the simulation.
STAGES = [("core_tests", ["--abort-after=1"]),
          ("outbox_tests", ["--abort-after=1", "--source-file=" + ",".join(f"*/tests/{name}" for name in (
              "sinks/broken_answer_test.cpp", "sinks/track_sink_test.cpp", "sinks/webhook_test.cpp", "api/*",
              "dispatch/round_test.cpp", "guarantees/kinds_test.cpp", "storage/life/enqueue_options_test.cpp",
              "storage/life/enqueue_test.cpp", "storage/people/browse_test.cpp"))]),
          ("simulation", ["lives", "--seeds", "40", "--steps", "100"])]
BUILD = "build/mutation"
SECONDS_MAX = 90  # a loop that does not end is seen, too


def code_of(line):
    """The line without comment, and with nothing in its strings, at the same places."""
    line = re.sub(r'"(?:[^"\\]|\\.)*"|(?<!\w)\'(?:[^\'\\]|\\.)\'', lambda found: "\0" * len(found[0]), line)
    return line.split("//")[0]


def changes_of(path):
    with open(path) as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines):
        code = code_of(line)
        if code.startswith("#") or "static_assert" in code or "template" in code:
            continue
        for pattern, replacement in RULES:
            for found in pattern.finditer(code):
                changed = line[: found.start()] + replacement(found) + line[found.end():]
                yield path, number, line, changed


class Builder:
    def __init__(self, folder):
        self.folder = folder
        self.root = os.getcwd()
        subprocess.run(["cmake", "--preset", "dev", "-B", BUILD, "-DOUTBOX_COMPILE_TOGETHER=OFF"], check=True)
        subprocess.run(["cmake", "--build", BUILD, "--target", "outbox_tests", "simulation"], check=True)
        with open(f"{BUILD}/compile_commands.json") as file:
            self.commands = {entry["file"]: entry for entry in json.load(file) if "/outbox.dir/" in entry["command"]}
        self.links = {name: self.link_of(name) for name in ("outbox_tests", "simulation")}
        # Without the tests of the other rooms it is linked in no time.
        self.links["core_tests"] = re.sub(r" tests/CMakeFiles/outbox_tests\.dir/(?!core/|support/)\S+", "",
                                          self.links["outbox_tests"])

    def link_of(self, target):
        text = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", f"tests/{target}"], capture_output=True,
                              text=True, check=True).stdout
        return next(line for line in reversed(text.splitlines()) if f" -o tests/{target} " in line)

    def compile(self, path, lines):
        source = self.folder.file("changed.cpp")
        with open(source, "w") as file:
            file.write("\n".join(lines))
        entry = self.commands[os.path.join(self.root, path)]
        words = [word for word in shlex.split(entry["command"]) if word not in ("-Werror",)]
        words[words.index("-o") + 1] = self.folder.file("changed.o")
        words[words.index("-c") + 1] = source
        return subprocess.run(words, cwd=entry["directory"], capture_output=True, check=False).returncode == 0

    def link(self, name):
        """The object comes before the library, whose own one is then not wanted."""
        made = self.folder.file(name)
        command = re.sub(r" -o tests/\w+ ", f" -o {made} {self.folder.file('changed.o')} ", self.links[name], count=1)
        command = command.split(" && cd ")[0]
        subprocess.run(command, cwd=BUILD, shell=True, capture_output=True, check=True)
        return made


def is_noticed(builder):
    for name, words in STAGES:
        try:
            done = subprocess.run([builder.link(name), *words], capture_output=True, timeout=SECONDS_MAX, check=False)
            if done.returncode != 0:
                return True
        except subprocess.TimeoutExpired:
            return True
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--minutes", type=float, default=110)
    arguments = parser.parse_args()
    seed, random = common.seed_and_random(arguments)
    until = time.monotonic() + arguments.minutes * 60
    everything = [change for path in sorted(glob.glob("lib/core/**/*.cpp", recursive=True))
                  for change in changes_of(path)]
    random.shuffle(everything)
    noticed, survived = 0, []
    with common.Folder() as folder:
        builder = Builder(folder)
        with open("lib/core/event/timestamp.cpp") as file:  # unchanged: then nothing may fail
            if not builder.compile("lib/core/event/timestamp.cpp", file.read().split("\n")) or is_noticed(builder):
                common.finish(1, ["the tests fail without a change, too"], seed)
        for path, number, line, changed in everything:
            if noticed + len(survived) >= arguments.count or time.monotonic() > until:
                break
            with open(path) as file:
                lines = file.read().split("\n")
            lines[number] = changed
            if not builder.compile(path, lines):
                continue
            if is_noticed(builder):
                noticed += 1
            else:
                survived.append(f"{path}:{number + 1}:\n  - {line.strip()}\n  + {changed.strip()}")
                print("SURVIVED", survived[-1], flush=True)
    done = noticed + len(survived)
    score = 100 * noticed // max(done, 1)
    common.finish(done, [], seed, f"note=of_{len(everything)}_changes;_{noticed}_noticed,_a_score_of_{score}_%")


if __name__ == "__main__":
    main()
