// What the page changes, when it was started with --allow-changes.

#include <algorithm>
#include <cstdlib>

#include "api.hpp"
#include "confirm.hpp"
#include "outbox/operate.hpp"
#include "query.hpp"

namespace page {

namespace {

using Verb = std::int64_t (*)(outbox::ConnectionRef, const outbox::Selection&,
                              const outbox::ChangeNote&, outbox::Mode, const outbox::Progress&);

constexpr std::pair<const char*, Verb> verbs[] = {
    {"/retry", outbox::retry}, {"/discard", outbox::discard}, {"/requeue", outbox::requeue}};

outbox::ChangeNote note_of(const std::string& reason) {
  outbox::ChangeNote note = cli::note_of(reason);
  note.actor = "serve:" + note.actor;
  return note;
}

// What was shown to the person is what is changed, but for a tenth: events come and go.
void require_expected(std::int64_t expected, std::int64_t found) {
  if (std::abs(found - expected) <= expected / 10) return;
  throw Problem{409,
                std::to_string(found) + " events match now, and it was " +
                    std::to_string(expected) + ": look again",
                {{"found", found}}};
}

// A list is of the time when events were enqueued, which is not what would be sent again.
void require_no_times(const outbox::EventFilter& filter) {
  if (!filter.since && !filter.until) return;
  throw Problem{400,
                "since, until: a requeue by time means the time of delivery, and the list that of "
                "enqueueing: select the events"};
}

Json change_events(const Desk& desk, Verb verb, const Json& body) {
  const Order order = order_of(desk, body);
  if (verb == outbox::requeue) require_no_times(order.selection.filter());
  if (verb == outbox::discard && order.reason.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Problem{400, "reason: a discard needs one"};
  }
  SQLite::Database db = cli::open_database(desk.globals, cli::Access::write);
  const outbox::ChangeNote note = note_of(order.reason);
  if (order.is_dry || order.expected) {
    const std::int64_t found = verb(db, order.selection, note, outbox::Mode::dry_run, {});
    if (order.is_dry) return {{"count", found}, {"dry", true}};
    require_expected(*order.expected, found);
  }
  return {{"count", verb(db, order.selection, note, outbox::Mode::apply, {})}, {"dry", false}};
}

outbox::DestinationStatus destination_named(const Desk& desk, SQLite::Database& db,
                                            const std::string& name) {
  const std::string& only = desk.globals.destination;
  if (!only.empty() && name != only) {
    throw Problem{400, "this page is about the destination " + only + " only"};
  }
  for (outbox::DestinationStatus& known : outbox::list_destinations(db)) {
    if (known.name == name) return std::move(known);
  }
  throw Problem{404, "no such destination"};
}

Json change_destination(const Desk& desk, const std::string& name, const std::string& action,
                        const Json& body) {
  require_known(body, {"reason"});
  const outbox::ChangeNote note = note_of(text_of(body, "reason"));
  SQLite::Database db = cli::open_database(desk.globals, cli::Access::write);
  const outbox::DestinationStatus destination = destination_named(desk, db, name);
  if (action == "pause") {
    outbox::pause(db, name, note);
  } else if (action == "resume") {
    outbox::resume(db, name, note);
  } else if (!destination.dispatcher) {
    throw Problem{409, "no dispatcher of " + name + " is running: nobody would try"};
  } else {
    outbox::nudge(db, name);
  }
  return {{"destination", name}, {"action", action}};
}

}  // namespace

std::optional<Json> change(const Desk& desk, const std::string& path, const std::string& body) {
  const auto require_allowed = [&desk] {
    if (!desk.can_change) {
      throw Problem{403, "this page is read-only: start `outbox serve` with --allow-changes"};
    }
  };
  for (const auto& [name, verb] : verbs) {
    if (path != name) continue;
    require_allowed();
    return change_events(desk, verb, parse_body(body));
  }
  constexpr std::string_view destinations = "/destinations/";
  const std::size_t slash = path.rfind('/');
  if (path.rfind(destinations, 0) != 0 || slash < destinations.size()) return std::nullopt;
  const std::string action = path.substr(slash + 1);
  if (action != "pause" && action != "resume" && action != "nudge") return std::nullopt;
  require_allowed();
  const std::string name = path.substr(destinations.size(), slash - destinations.size());
  return change_destination(desk, name, action, parse_body(body));
}

}  // namespace page
