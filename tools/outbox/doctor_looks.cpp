#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "destination.hpp"
#include "doctor.hpp"
#include "format.hpp"
#include "mask.hpp"
#include "outbox/migrate.hpp"
#include "status.hpp"

namespace cli {

namespace {

using Level = outbox::Finding::Level;
using std::chrono::milliseconds;
using std::chrono::system_clock;

std::string decoded_base64url(std::string_view text) {
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) return {};
    bits = (bits << 6U | static_cast<unsigned>(digit)) & 0xFFFFFFU;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> static_cast<unsigned>(count) & 0xFFU);
  }
  return bytes;
}

// When a JSON Web Token ends (RFC 7519, 4.1.4); none: it is no such token, or never does.
std::optional<Time> expiry_of(const std::string& token) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  if (first == std::string::npos || second == std::string::npos) return std::nullopt;
  const auto claims = nlohmann::json::parse(
      decoded_base64url(std::string_view{token}.substr(first + 1, second - first - 1)), nullptr,
      false);
  constexpr std::int64_t last_s = 9'000'000'000;
  if (!claims.is_object() || !claims.contains("exp") || !claims["exp"].is_number()) return {};
  const double exp = claims["exp"].get<double>();
  if (!(exp >= 0 && exp < last_s)) return std::nullopt;
  return Time{std::chrono::seconds{static_cast<std::int64_t>(exp)}};
}

milliseconds whole_ms(system_clock::duration duration) {
  return std::chrono::floor<milliseconds>(duration);
}

}  // namespace

void look_at_settings(SQLite::Database& db, Findings& findings) {
  bool is_well = true;
  std::string version = std::string{"SQLite "} + SQLite::getLibVersion();
  Level version_level = Level::good;
  for (const outbox::HostProblem& problem : outbox::check_host(db)) {
    if (problem.name == "sqlite_version") {
      version_level = Level::warning;
      version +=
          " has the WAL-reset bug, fixed in 3.51.3 of 2026-03-13. Debian 13 and Ubuntu 26.04 have "
          "it too. If they fix it, the version number stays the same, and so does this warning. "
          "See "
          "docs/operations.md";
    } else if (problem.name != "busy_timeout") {  // this connection has one
      findings.push_back({"settings", Level::problem, problem.advice});
      is_well = false;
    }
  }
  if (is_well) findings.push_back({"settings", Level::good, "journal_mode is wal"});
  findings.push_back({"sqlite", version_level, version});
}

void look_at_relay_token(const SendingFlags& flags, Findings& findings) {
  try {
    const auto source = named_secret(flags);
    if (!source) return;
    const bool is_empty = source->secret().empty();
    findings.push_back({"token", is_empty ? Level::problem : Level::good,
                        is_empty ? "the token is empty" : "the token can be read"});
  } catch (const std::exception& error) {
    findings.push_back({"token", Level::problem, without_prefix(error.what())});
  }
}

void look_at_token(const SendingFlags& flags, Findings& findings) {
  if (flags.auth == "none") return;
  if (!flags.relay.to.empty()) return look_at_relay_token(flags, findings);
  const bool is_named = !flags.token_file.empty() || !flags.token_env.empty() ||
                        std::getenv("OUTBOX_TOKEN") != nullptr;
  if (!is_named) return;
  std::string token;
  try {
    token = credentials_of(flags).source.secret();
  } catch (const std::exception& error) {
    findings.push_back({"token", Level::problem, error.what()});
    return;
  }
  const auto expiry = expiry_of(token);
  if (!expiry) {
    findings.push_back({"token", Level::good, "the token can be read"});
    return;
  }
  const auto left = whole_ms(*expiry - system_clock::now());
  if (left <= milliseconds{0}) {
    findings.push_back(
        {"token", Level::problem,
         "the token is a JWT that expired " + rfc3339(*expiry) + ", " + how_long(-left) + " ago"});
  } else {
    findings.push_back(
        {"token", left < std::chrono::hours{24} ? Level::warning : Level::good,
         "the token is a JWT that expires " + rfc3339(*expiry) + ", in " + how_long(left)});
  }
}

void look_at_destinations(SQLite::Database& db, const Globals& globals, Findings& findings) {
  const outbox::Status status = outbox::status(db, globals.destination);
  if (!globals.destination.empty() && status.destinations.empty()) {
    findings.push_back({"destination " + globals.destination, Level::problem,
                        doubt_about(db, globals.destination)});
  }
  for (const outbox::DestinationStatus& destination : status.destinations) {
    const std::string name = "destination " + escaped(destination.name);
    const std::vector<Note> notes = notes_on(destination, globals);
    for (const Note& note : notes) {
      using About = Note::About;
      std::string text = note.text;
      if (note.about == About::hold) text.insert(0, "on hold: ");
      if (note.about == About::pause) text.insert(0, "paused ");
      for (const std::string& step : note.steps) text += "; " + step;
      const bool needs_person = !destination.paused && destination.hold &&
                                destination.hold->kind != outbox::HoldKind::backing_off;
      const bool is_bad = needs_person || note.about == About::trouble;
      findings.push_back({name, is_bad ? Level::problem : Level::warning, std::move(text)});
    }
    if (notes.empty() && destination.dispatcher) {
      findings.push_back(
          {name, Level::good,
           name_of(*destination.dispatcher) + " holds the lock" +
               (destination.dispatcher->pid == 0
                    ? ""
                    : ", for " + how_long(whole_ms(system_clock::now() -
                                                   destination.dispatcher->since)))});
    } else if (notes.empty()) {
      findings.push_back({name, Level::good, "nothing is pending, and no dispatcher is running"});
    }
    if (destination.counts.dead > 0) {
      findings.push_back(
          {name, Level::warning,
           grouped(destination.counts.dead) + " dead; to see why:  " +
               hint(globals, "list --state dead --destination " + escaped(destination.name))});
    }
  }
}

void look_at_clock(SQLite::Database& db, Findings& findings) {
  const auto requests = outbox::list_requests(db, {}, 1);
  if (requests.empty()) return;
  const auto ahead = whole_ms(requests.front().started_at - system_clock::now());
  if (ahead > std::chrono::seconds{1}) {
    findings.push_back(
        {"clock", Level::warning,
         "the newest request began " + how_long(ahead) + " in the future: the clock was set back"});
  } else {
    findings.push_back(
        {"clock", Level::good, "the newest request began " + how_long(-ahead) + " ago"});
  }
}

}  // namespace cli
