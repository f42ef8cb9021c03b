// Random input against what the CLI prints and accepts: no raw control byte, no address unmasked,
// and no event that a strict JSON parser refuses.
//
//     cli_fuzz [INPUTS] [SEED]       1,000,000 inputs take some minutes

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Transaction.h>

#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "event_reader.hpp"
#include "events_json.hpp"
#include "exit_code.hpp"
#include "format.hpp"
#include "mask.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/inspect.hpp"
#include "outbox/migrate.hpp"

namespace {

using Random = std::mt19937_64;
using nlohmann::json;

const std::vector<std::string> pieces = {"\x1b]0;owned\x07",
                                         "\x1b[2J",
                                         "\xC2\x9B"
                                         "31m",
                                         "\u202E",
                                         "\u2066",
                                         "\u2028",
                                         "\u061C",
                                         "\x7F",
                                         "\r",
                                         "\b",
                                         "\xE2\x80",
                                         "\xE2",
                                         "\xC2",
                                         "\xFF",
                                         "amy@achme.com",
                                         "a.b+c@x.de",
                                         "\x9B",
                                         "\xED\xA0\x80",
                                         "\"amy q\"@x.de",
                                         "@",
                                         "@@",
                                         "öl@x.de",
                                         ".@x",
                                         "x@",
                                         "\\u0040",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"",
                                         "\\",
                                         "\\\"",
                                         "\\u0000",
                                         "\\ud800",
                                         "true",
                                         "null",
                                         "-0",
                                         "1e999",
                                         "1E",
                                         "01",
                                         ".5",
                                         " ",
                                         "\n",
                                         "\t",
                                         "//",
                                         "/*",
                                         "'",
                                         "NaN",
                                         "\xEF\xBB\xBF"};

std::size_t below(Random& random, std::size_t limit) {
  return static_cast<std::size_t>(random() % limit);
}

std::string some_text(Random& random) {
  std::string text;
  for (std::size_t parts = below(random, 8); parts > 0; --parts) {
    switch (below(random, 4)) {
      case 0:
        text += static_cast<char>(random() % 256);
        break;
      case 1:
        text += static_cast<char>('a' + random() % 26);
        break;
      default:
        text += pieces[below(random, pieces.size())];
    }
  }
  return text;
}

// A good event, a little broken.
std::string some_input(Random& random) {
  std::string event = R"({"event_name":"signed_up","user_id":")" +
                      std::string(below(random, 3), 'u') +
                      R"(","timestamp":"2026-11-23T10:00:00Z","properties":{"a":[1,{"b":null}]}})";
  if (below(random, 3) == 0) event += (below(random, 2) == 0 ? "\n" : ",") + event;
  if (below(random, 3) == 0) event = "[" + event + "]";
  for (std::size_t changes = below(random, 4); changes > 0; --changes) {
    const std::size_t at = below(random, event.size() + 1);
    if (below(random, 2) == 0) {
      event.insert(at, pieces[below(random, pieces.size())]);
    } else if (at < event.size()) {
      event.erase(at, 1 + below(random, 3));
    }
  }
  return event;
}

[[noreturn]] void fail(const std::string& what, const std::string& input) {
  std::cerr << "cli_fuzz: " << what << ": "
            << json(input).dump(-1, ' ', true, json::error_handler_t::replace) << "\n";
  std::exit(1);
}

// A byte that a terminal obeys, but for the end of a line.
bool holds_control(const std::string& text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = [&](std::size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
    };
    if ((byte(i) < 0x20 && text[i] != '\n') || byte(i) == 0x7F) return true;
    if (byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0) return true;
    const std::string three = text.substr(i, 3);
    for (const char* obeyed : {"\u200E", "\u200F", "\u2028", "\u2029", "\u202A", "\u202B", "\u202C",
                               "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069"}) {
      if (three == obeyed) return true;
    }
    if (text.compare(i, 2, "\u061C") == 0) return true;
  }
  return false;
}

bool is_local(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view{".!#$%&+-/=?^_`{|}~'"}.find(c) != std::string_view::npos;
}

// Before an @ stand at most one character and its two asterisks.
bool holds_address(const std::string& text) {
  for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && is_local(text[begin - 1])) --begin;
    if (at - begin > 1) return true;
    // A quoted one.
    const std::size_t quote = at > 1 && text[at - 1] == '"' ? text.rfind('"', at - 2) : at;
    if (quote != std::string::npos && quote < at) return true;
  }
  return false;
}

bool is_utf8(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::ignore) ==
         json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

void try_printing(const std::string& text) {
  const cli::Globals globals;
  if (holds_control(cli::escaped(text))) fail("a raw control byte", text);
  if (!is_utf8(cli::escaped(text))) fail("a byte that is no UTF-8", text);
  if (holds_control(cli::line_of(nlohmann::ordered_json{{text, text}}))) {
    fail("a raw control byte in JSON", text);
  }
  if (holds_address(outbox::mask_addresses(text))) fail("an address", text);
  const std::string payload = nlohmann::ordered_json{{text, text}, {"user_id", text}}.dump(
      -1, ' ', false, json::error_handler_t::replace);
  const std::string shown = cli::line_of(cli::shown_payload(payload, globals));
  if (holds_control(shown)) fail("a raw control byte in a payload", text);
  const json parsed = json::parse(shown);
  for (const auto& [name, value] : parsed.items()) {
    if (holds_address(name) || holds_address(value.get<std::string>())) {
      fail("an address in a payload", text);
    }
  }
}

// Returns how many events were accepted.
std::size_t try_enqueueing(SQLite::Database& db, const std::string& input) {
  std::istringstream stream{input};
  cli::EventReader reader{stream};
  std::size_t accepted = 0;
  SQLite::Transaction transaction{db};
  try {
    while (const auto event = reader.next()) {
      outbox::enqueue(db, outbox::Payload{.text = *event});
      if (!json::accept(*event)) fail("accepted what is no JSON", *event);
      ++accepted;
    }
  } catch (const cli::Failure&) {
  } catch (const std::invalid_argument&) {
  }
  return accepted;
}

}  // namespace

int main(int argc, char** argv) {
  const long inputs = argc > 1 ? std::atol(argv[1]) : 1'000'000;
  const auto seed = static_cast<std::uint64_t>(argc > 2 ? std::atoll(argv[2]) : 1);
  Random random{seed};
  SQLite::Database db{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  outbox::migrate(db);
  std::size_t accepted = 0;
  for (long i = 0; i < inputs; ++i) {
    try_printing(some_text(random));
    accepted += try_enqueueing(db, some_input(random));
  }
  std::cout << inputs << " inputs, seed " << seed << ": " << accepted << " events accepted\n";
  return accepted > 0 || inputs < 100 ? 0 : 1;
}
