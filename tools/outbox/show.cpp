#include <iostream>
#include <memory>

#include "events_json.hpp"
#include "filters.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "mask.hpp"
#include "outbox/inspect.hpp"

namespace cli {

namespace {

void print_json(const outbox::EventDetail& detail, const Globals& globals) {
  Json json = json_of(detail.event, globals);
  json["ordering_key"] = text_or_null(detail.ordering_key, globals);
  json["dedupe_key"] = text_or_null(detail.dedupe_key, globals);
  json["kind"] = text_or_null(detail.kind, globals);
  json["headers"] = headers_of(detail.headers, globals);
  json["payload"] = shown_payload(detail.payload, globals);
  json["batches"] = Json::array();
  for (const outbox::RequestSummary& request : detail.requests) {
    json["batches"].push_back(json_of(request, globals));
  }
  std::cout << line_of(json);
}

// Pretty-printed, with the line ends that the printing made and no others.
std::string indented(const Json& json) {
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::string lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines += "  " + escaped(std::string_view{text}.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return lines;
}

void print_screen(const outbox::EventDetail& detail, const Globals& globals) {
  const outbox::EventSummary& event = detail.event;
  std::cout << "event     " << escaped(shown(event.event_name, globals)) << "   "
            << to_string(event.state) << "     enqueued " << when(event.enqueued_at, globals)
            << "\n"
            << "event_id  " << escaped(shown(event.event_id, globals)) << "\n"
            << "to        " << escaped(event.destination) << "\n";
  if (!detail.ordering_key.empty()) {
    std::cout << "key       " << escaped(shown(detail.ordering_key, globals)) << "\n";
  }
  if (!detail.kind.empty())
    std::cout << "kind      " << escaped(shown(detail.kind, globals)) << "\n";
  if (event.due_at && !event.settled_at)
    std::cout << "due       " << when(*event.due_at, globals) << "\n";
  if (event.settled_at) std::cout << "settled   " << when(*event.settled_at, globals) << "\n";
  if (!event.last_error.empty()) {
    std::cout << attention("error     " + escaped(shown(event.last_error, globals)), globals)
              << "\n";
  }
  const Json headers = headers_of(detail.headers, globals);
  if (!headers.is_null()) std::cout << "headers\n" << indented(headers);
  std::cout << "payload   " << grouped(static_cast<std::int64_t>(detail.payload.size())) << " bytes"
            << (globals.reveals ? "" : ", masked (--reveal shows it)") << "\n"
            << indented(shown_payload(detail.payload, globals));
  if (detail.requests.empty()) {
    std::cout << "batches   none\n";
  } else {
    std::cout << table_of(detail.requests, globals);
  }
  if (event.state == outbox::EventState::dead) {
    const std::string id = std::to_string(event.id);
    // It was set aside before it was ever sent, and would be again.
    const bool can_be_sent = event.last_error.rfind("unsendable: ", 0) != 0;
    std::cout << "fix       " << (can_be_sent ? hint(globals, "retry " + id) + "\n          " : "")
              << hint(globals, "discard " + id + " --reason …") << "\n";
  }
}

void require_of(const Globals& globals, const outbox::EventDetail& detail) {
  if (globals.destination.empty() || globals.destination == detail.event.destination) return;
  throw Failure{no_match, "event " + std::to_string(detail.event.id) + " is for " +
                              detail.event.destination + ", not for " + globals.destination};
}

ExitCode show(std::int64_t id, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  const auto detail = outbox::find_event(db, id);
  if (!detail) throw Failure{no_match, "no event " + std::to_string(id)};
  require_of(globals, *detail);
  globals.is_json ? print_json(*detail, globals) : print_screen(*detail, globals);
  return done;
}

ExitCode explain(std::int64_t id, const Globals& globals) {
  SQLite::Database db = open_database(globals, Access::read);
  if (const auto detail = outbox::find_event(db, id)) require_of(globals, *detail);
  const auto explanation = outbox::explain(db, id);
  if (!explanation) throw Failure{no_match, "no event " + std::to_string(id)};
  const std::string text = with_hints(globals, shown(explanation->text, globals));
  if (globals.is_json) {
    std::cout << line_of(
        Json{{"id", explanation->id},
             {"state", to_string(explanation->state)},
             {"waiting_for", explanation->waiting_for ? Json(to_string(*explanation->waiting_for))
                                                      : Json(nullptr)},
             {"text", text}});
  } else {
    std::cout << escaped(text) << "\n";
  }
  return done;
}

void add_for_one(CLI::App& app, const Globals& globals, Action& action, const char* name,
                 const char* description, ExitCode (*run)(std::int64_t, const Globals&)) {
  auto* const command = app.add_subcommand(name, description);
  const auto id = std::make_shared<std::int64_t>(0);
  command->add_option("ID", *id, "The event's id")->required()->check(event_id);
  command->callback(
      [&globals, &action, id, run] { action = [&globals, id, run] { return run(*id, globals); }; });
}

}  // namespace

void add_show(CLI::App& app, const Globals& globals, Action& action) {
  add_for_one(app, globals, action, "show",
              "One event and the requests that carried it\n\n"
              "  outbox show --db app.db 8813\n"
              "  outbox show --db app.db 8813 --reveal     # with personal data",
              show);
}

void add_explain(CLI::App& app, const Globals& globals, Action& action) {
  add_for_one(app, globals, action, "explain",
              "Why an event is not delivered yet\n\n"
              "  outbox explain --db app.db 8812",
              explain);
}

}  // namespace cli
