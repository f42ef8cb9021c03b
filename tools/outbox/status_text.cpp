// The notes below the table of `status`, and its table.

#include <sys/stat.h>

#include <array>

#include "confirm.hpp"
#include "database_files.hpp"
#include "format.hpp"
#include "mask.hpp"
#include "status.hpp"

namespace cli {

namespace {

// A request that waits for longer is worth a line: most take a part of a second.
constexpr milliseconds slow_request{3'000};

using std::chrono::milliseconds;
using std::chrono::system_clock;

milliseconds since(Time time) {
  return std::chrono::floor<milliseconds>(system_clock::now() - time);
}

std::string dispatcher_text(const outbox::DestinationStatus& destination) {
  if (!destination.dispatcher) return destination.was_ever_served ? "none running" : "never served";
  const std::string name = name_of(*destination.dispatcher);
  if (destination.dispatcher->pid == 0) return name;
  return name + ", for " + how_long(since(destination.dispatcher->since));
}

std::string times(std::int64_t count) {
  return count == 1 ? "once" : grouped(count) + " times";
}

// Which event keeps others waiting, and why.
std::string holder_text(const outbox::Holder& holder) {
  std::string text = "event " + std::to_string(holder.id);
  if (holder.is_dead) {
    text += " is dead";
  } else if (holder.refusals > 0) {
    text += " was refused alone " + times(holder.refusals);
  } else if (holder.solo_failures > 0) {
    text += " failed alone " + times(holder.solo_failures);
  } else {
    text += " has failed beside others";
  }
  const std::string count = holder.holds > 1'000 ? "more than 1,000" : grouped(holder.holds);
  return text + " and holds " + count + " of its key back";
}

std::string hold_text(const outbox::Hold& hold, const Globals& globals) {
  const auto wait = std::chrono::floor<milliseconds>(hold.until - system_clock::now());
  return escaped(shown(hold.reason, globals)) + " since " + when(hold.since, globals) + ", " +
         (wait.count() > 0 ? "next try in " + how_long(wait) : "next try due");
}

}  // namespace

std::string name_of(const outbox::ActiveDispatcher& dispatcher) {
  if (dispatcher.pid == 0) return "another user's dispatcher";
  return "pid " + std::to_string(dispatcher.pid) +
         (dispatcher.is_elsewhere ? " on " + escaped(dispatcher.host) : "");
}

std::string hold_advice(const outbox::DestinationStatus& destination, const Globals& globals) {
  const std::string on = " --destination " + escaped(destination.name);
  switch (destination.hold->kind) {
    case outbox::HoldKind::unauthorized:
      if (destination.hold->reason.starts_with("no credential")) {
        return "the dispatcher cannot read its credential: create the file, make it readable for "
               "the dispatcher's user, or correct the path. No event is lost";
      }
      return "the credential is refused: renew the token where the dispatcher reads it. A changed "
             "token file is read at once. A dispatcher that has none needs --token-file (for the "
             "Track API OUTBOX_TOKEN too). No event is lost";
    case outbox::HoldKind::misconfigured:
      return "there is no such endpoint, as the reason says: the URL is wrong (of a relay the "
             "stream or topic), or a proxy before it. Correct it; another URL needs a restart. No "
             "event is lost";
    case outbox::HoldKind::refuses_everything:
      return "the endpoint refuses every event: see why:  " +
             hint(globals, "batches --limit 20" + on);
    case outbox::HoldKind::backing_off:
      break;
  }
  if (!destination.dispatcher) {
    return "the endpoint is in trouble; a dispatcher will try again by itself, once one runs";
  }
  return "the endpoint is in trouble; it is tried again by itself. To try now:  " +
         hint(globals, "nudge" + on);
}

std::string suspects_text(const outbox::DestinationStatus& destination, const Globals& globals) {
  const outbox::Counts& counts = destination.counts;
  if (counts.retrying == 0 || counts.due > 0 || destination.hold || destination.paused) return {};
  return events_text(counts.retrying) + (counts.retrying == 1 ? " was" : " were") +
         " refused or failed alone and " + (counts.retrying == 1 ? "is" : "are") +
         " tried again:  " +
         hint(globals, "list --state retrying --destination " + escaped(destination.name));
}

std::uint64_t bytes_of_wal(const Globals& globals) {
  struct stat facts {};
  if (stat((path_of_database(globals).native() + "-wal").c_str(), &facts) != 0) return 0;
  return static_cast<std::uint64_t>(facts.st_size);
}

std::string table_of(const outbox::Status& status) {
  std::vector<std::vector<std::string>> rows = {{"destination", "pending", "due", "scheduled",
                                                 "waiting", "retrying", "dead", "oldest due",
                                                 "delivered total", "dispatcher"}};
  for (const auto& destination : status.destinations) {
    const outbox::Counts& counts = destination.counts;
    rows.push_back({escaped(destination.name), grouped(counts.pending), grouped(counts.due),
                    grouped(counts.scheduled), grouped(counts.waiting), grouped(counts.retrying),
                    grouped(counts.dead),
                    counts.oldest_due_age ? how_long(*counts.oldest_due_age) : "-",
                    grouped(counts.delivered_total), dispatcher_text(destination)});
  }
  return table(rows);
}

std::vector<Note> notes_on(const outbox::DestinationStatus& destination, const Globals& globals) {
  using About = Note::About;
  std::vector<Note> notes;
  const std::string name = escaped(destination.name);
  const std::string on = " --destination " + name;
  if (const auto& paused = destination.paused) {
    const std::string reason = escaped(shown(paused->reason, globals));
    notes.push_back(
        {About::pause,
         "since " + when(paused->since, globals) + (reason.empty() ? "" : ", " + reason),
         {"events are kept. To go on:  " + hint(globals, "resume" + on)}});
  }
  if (destination.hold) {
    notes.push_back(
        {About::hold, hold_text(*destination.hold, globals), {hold_advice(destination, globals)}});
  }
  if (const std::string text = suspects_text(destination, globals); !text.empty()) {
    notes.push_back({About::suspects, text});
  }
  const auto& dispatcher = destination.dispatcher;
  if (dispatcher && !dispatcher->database_trouble.empty()) {
    notes.push_back({About::trouble, name_of(*dispatcher) + " cannot use the database: " +
                                         escaped(shown(dispatcher->database_trouble, globals))});
  }
  if (dispatcher && !dispatcher->trouble.empty()) {
    notes.push_back({About::trouble, escaped(dispatcher->trouble)});
  }
  for (const outbox::Holder& holder : destination.holders) {
    const std::string id = std::to_string(holder.id);
    notes.push_back(
        {.about = About::trouble,
         .text = holder_text(holder),
         .steps = {"to try it again:  " + hint(globals, "retry " + id),
                   "to give it up:    " + hint(globals, "discard " + id + " --reason …")},
         .names_destination = false});
  }
  if (destination.counts.pending == 0) return notes;
  // With trouble the answer may be there, and not recorded.
  if (dispatcher && dispatcher->in_flight_since && dispatcher->database_trouble.empty()) {
    const auto waits = since(*dispatcher->in_flight_since);
    if (waits >= slow_request) {
      notes.push_back({About::trouble, "it has waited " + how_long(waits) +
                                           " for the answer to a request, which may hold some of "
                                           "these"});
    }
  }
  // Without --to the events of a relay would go to the Track API.
  const std::string where =
      destination.name == "track" ? " --token-file …" : " --to … (or --url …) --token-file …";
  if (destination.is_foreign) {
    notes.push_back(
        {About::trouble,
         "this file is a copy or was restored: its pending events may have been "
         "delivered already",
         {"to send them:     " + hint(globals, "run" + on + " --yes-send-copy" + where),
          "to give them up:  " + hint(globals, "discard --state pending" + on + " --reason …")}});
    return notes;
  }
  if (!destination.was_ever_served) {
    notes.push_back({.about = About::trouble,
                     .text = "no dispatcher has ever served " + name +
                             ": is the name mistyped, or was none started yet?  " +
                             hint(globals, "run" + on + where),
                     .names_destination = false});
  } else if (!dispatcher) {
    notes.push_back({About::trouble, "no dispatcher is running: start the app, or  " +
                                         hint(globals, "run" + on + where)});
  }
  return notes;
}

std::vector<std::string> note_lines(const outbox::DestinationStatus& destination,
                                    const Globals& globals) {
  std::vector<std::string> lines;
  for (const Note& note : notes_on(destination, globals)) {
    constexpr std::array<const char*, 4> begins{"  hold   ", "  pause  ", "  retry  ", "! "};
    lines.push_back(begins.at(static_cast<std::size_t>(note.about)) +
                    (note.names_destination ? escaped(destination.name) + ": " : "") + note.text);
    for (const std::string& step : note.steps) lines.push_back("         " + step);
  }
  return lines;
}

}  // namespace cli
