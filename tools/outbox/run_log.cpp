#include "run_log.hpp"

#include <chrono>
#include <iostream>

#include "events_json.hpp"
#include "format.hpp"
#include "json.hpp"
#include "mask.hpp"

namespace cli {

namespace {

using Kind = outbox::Notice::Kind;

std::string text_of(const outbox::Notice& notice) {
  switch (notice.kind) {
    case Kind::request:
      return grouped(static_cast<std::int64_t>(notice.events)) +
             (notice.events == 1 ? " event, " : " events, ") + std::to_string(notice.took.count()) +
             " ms: " + notice.text;
    case Kind::dead:
      return "event " + std::to_string(notice.id) + " is dead: " + notice.text;
    case Kind::suspect:
      return "event " + std::to_string(notice.id) + " is a suspect: " + notice.text;
    case Kind::hold:
      return "on hold: " + notice.text;
    case Kind::database_trouble:
      return "the database cannot be used: " + notice.text;
    default:
      return notice.text;
  }
}

}  // namespace

void RunLog::tell(const outbox::Notice& notice) {
  const bool is_delivery =
      notice.kind == Kind::request && notice.verdict == outbox::Verdict::delivered;
  if (is_delivery && !logs_requests_) return;
  const bool is_bad = notice.kind == Kind::dead || notice.kind == Kind::suspect ||
                      notice.kind == Kind::hold || notice.kind == Kind::warning ||
                      (notice.kind == Kind::request && !is_delivery);
  write(notice.kind == Kind::database_trouble ? Level::error
        : is_bad                              ? Level::warning
                                              : Level::info,
        notice, to_string(notice.kind));
}

void RunLog::say(const std::string& destination, const std::string& event,
                 const std::string& text) {
  write(Level::info, {.kind = Kind::warning, .destination = destination, .text = text}, event);
}

void RunLog::write(Level level, const outbox::Notice& notice, const std::string& event) {
  const std::string now = rfc3339(std::chrono::system_clock::now());
  const std::string text = shown(text_of(notice), globals_);
  std::string line;
  if (is_json_) {
    const char* const word = level == Level::info      ? "info"
                             : level == Level::warning ? "warning"
                                                       : "error";
    Json json{{"time", now},
              {"level", word},
              {"destination", notice.destination},
              {"event", event},
              {"text", text}};
    if (notice.id != 0) json["id"] = notice.id;
    if (event == "request") {
      json["events"] = notice.events;
      json["status"] = notice.status;
      json["took_ms"] = notice.took.count();
    }
    line = line_of(json);
  } else {
    line = now + " " + notice.destination + ": " + escaped(text) + "\n";
  }
  const std::lock_guard guard{mutex_};
  std::cerr << line << std::flush;
}

}  // namespace cli
