// The architecture, kept true: includes go strictly downward, and each room keeps its own tools.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/files.hpp"

namespace {

namespace fs = std::filesystem;

const fs::path source{OUTBOX_SOURCE_DIR};

std::vector<fs::path> files_below(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator{source / folder}) {
    const auto extension = entry.path().extension();
    if (extension == ".cpp" || extension == ".hpp") files.push_back(entry.path());
  }
  return files;
}

// What stands between the quotes or angle brackets of each #include.
std::vector<std::string> includes_of(const fs::path& file) {
  std::vector<std::string> names;
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    const std::size_t begin = line.find_first_of("<\"");
    if (line.rfind("#include", 0) != 0 || begin == std::string::npos) continue;
    names.push_back(line.substr(begin + 1, line.find_first_of(">\"", begin + 1) - begin - 1));
  }
  return names;
}

// "storage/life/queue.hpp" → "storage/life", "core/clock.hpp" → "core".
std::string room_of(const std::string& path) {
  const std::size_t first = path.find('/');
  if (path.rfind("storage/", 0) != 0) return path.substr(0, first);
  return path.substr(0, path.find('/', first + 1));
}

std::string path_in_lib(const fs::path& file) {
  return fs::relative(file, source / "lib").generic_string();
}

// Without what follows `//`, so that a comment may name what the code may not.
std::string code_of(const fs::path& file) {
  std::string code;
  std::ifstream stream{file};
  for (std::string line; std::getline(stream, line);) {
    const std::size_t comment = line.find("//");
    const bool is_url = comment != std::string::npos && comment > 0 && line[comment - 1] == ':';
    code += is_url ? line : line.substr(0, comment);
    code += '\n';
  }
  return code;
}

}  // namespace

TEST_CASE("includes in lib go downward: api, dispatch, then storage and sinks, then core") {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"core", {"core", "outbox"}},
      {"storage/sqlite", {"storage/sqlite", "core", "outbox"}},
      {"storage/life", {"storage/life", "storage/sqlite", "core", "outbox"}},
      {"storage/people", {"storage/people", "storage/life", "storage/sqlite", "core", "outbox"}},
      {"sinks", {"sinks", "core", "outbox"}},
      {"dispatch", {"dispatch", "storage/life", "storage/sqlite", "sinks", "core", "outbox"}},
      {"api",
       {"api", "dispatch", "storage/people", "storage/life", "storage/sqlite", "sinks", "core",
        "outbox"}},
      {"testing", {"testing", "outbox"}}};  // a library of its own, on the public headers
  std::set<std::string> seen;
  for (const fs::path& file : files_below("lib")) {
    CAPTURE(file.native());
    const std::string room = room_of(path_in_lib(file));
    const auto rule = allowed.find(room);
    REQUIRE(rule != allowed.end());  // a room that DESIGN does not know
    for (const std::string& name : includes_of(file)) {
      const std::string target = room_of(name);
      if (!allowed.contains(target) && target != "outbox" && target != "storage") continue;
      CAPTURE(name);
      CHECK(rule->second.contains(target));
      seen.insert(room + " > " + target);
    }
  }
  CHECK(seen.contains("storage/people > storage/life"));  // the rules are looked at
  CHECK(seen.contains("dispatch > storage/life"));
}

TEST_CASE("SQLite is for storage alone, curl for sinks, and threads are for dispatch") {
  struct Rule {
    const char* include;
    std::set<std::string> places;  // rooms or files
  };
  const Rule rules[] = {
      {"sqlite3.h",
       {"storage/sqlite", "storage/life", "storage/people", "testing",
        "dispatch/deliver_once.cpp"}},  // asks whether a transaction is open
      {"SQLiteCpp/Database.h", {"storage/sqlite"}},
      {"curl/curl.h", {"sinks"}},
      {"librdkafka/rdkafka.h", {"sinks"}},
      {"nats/nats.h",
       {"sinks/nats_connection.cpp", "sinks/nats_stream.cpp", "sinks/nats_stream.hpp"}},
      {"thread",
       {"dispatch", "api/dispatcher.cpp", "api/operate.cpp",  // the last one sleeps
        "sinks/nats_connect_limit.hpp"}},                     // ends what libnats does not end
      {"mutex",
       {"dispatch", "api/dispatcher.cpp", "sinks/url.cpp", "testing",  // starts libcurl once
        "sinks/credentials.cpp", "sinks/short_lived_secret.hpp",       // endpoints share a secret
        "sinks/nats_flights.hpp", "sinks/nats_flights.cpp",  // what the client's threads leave
        "sinks/nats_connection.cpp", "sinks/nats_connect_limit.hpp"}},
      {"condition_variable", {"dispatch", "testing", "sinks/nats_connect_limit.hpp"}},
      {"nlohmann/json.hpp", {"core"}}};
  for (const fs::path& file : files_below("lib")) {
    const std::string path = path_in_lib(file);
    for (const std::string& name : includes_of(file)) {
      for (const Rule& rule : rules) {
        if (name != rule.include) continue;
        CAPTURE(path);
        CAPTURE(name);
        CHECK((rule.places.contains(room_of(path)) || rule.places.contains(path)));
      }
    }
  }
}

TEST_CASE("threads are made by the dispatcher alone, but for one that watches libnats connect") {
  for (const fs::path& file : files_below("lib")) {
    const std::string path = path_in_lib(file);
    if (room_of(path) == "dispatch" || path == "api/dispatcher.cpp" ||
        path.rfind("sinks/nats_connect_limit", 0) == 0) {
      continue;
    }
    const std::string code = code_of(file);
    CAPTURE(path);
    for (const char* thread : {"std::thread ", "std::thread{", "std::jthread", "std::async"}) {
      CAPTURE(thread);
      CHECK(code.find(thread) == std::string::npos);
    }
  }
}

TEST_CASE("SQL is spoken in storage alone") {
  for (const fs::path& file : files_below("lib")) {
    const std::string path = path_in_lib(file);
    if (path.rfind("storage/", 0) == 0 || path.rfind("testing/", 0) == 0) continue;
    const std::string code = code_of(file);
    CAPTURE(path);
    for (const char* sql : {"\"select ", "\"insert ", "\"update ", "\"delete ", "\"pragma ",
                            "\"begin", "\"commit", "\"rollback", "outbox_events", "outbox_queue",
                            "outbox_requests", "outbox_destinations"}) {
      CAPTURE(sql);
      CHECK(code.find(sql) == std::string::npos);
    }
  }
}

TEST_CASE("wall time comes through the clock, in C++ and in SQL") {
  for (const fs::path& file : files_below("lib")) {
    const std::string path = path_in_lib(file);
    if (path == "core/clock.hpp" || path == "testing/testing.cpp") continue;  // clocks themselves
    const std::string code = code_of(file);
    CAPTURE(path);
    for (const char* time : {"system_clock::now", "julianday(", "strftime(", "current_timestamp",
                             "unixepoch(", "'now'", "std::time(", "gettimeofday"}) {
      CAPTURE(time);
      CHECK(code.find(time) == std::string::npos);
    }
  }
  // The default of one column, for clients in other languages.
  std::string migrations;
  for (const auto& entry : fs::directory_iterator{source / "migrations"}) {
    if (entry.path().extension() == ".sql") migrations += support::text_of(entry.path());
  }
  const std::size_t first = migrations.find("julianday('now')");
  CHECK(first != std::string::npos);
  CHECK(migrations.find("julianday('now')", first + 1) == std::string::npos);
}

TEST_CASE("the core reads no clock, makes no thread and draws no lots") {
  for (const fs::path& file : files_below("lib/core")) {
    const std::string code = code_of(file);
    CAPTURE(file.native());
    for (const char* word : {"steady_clock", "random_device", "mt19937", "std::thread", "getenv",
                             "fopen", "fstream"}) {
      CAPTURE(word);
      CHECK(code.find(word) == std::string::npos);
    }
  }
}

TEST_CASE(
    "public headers include the standard library and each other, and json.hpp alone nlohmann") {
  for (const fs::path& file : files_below("include")) {
    for (const std::string& name : includes_of(file)) {
      CAPTURE(file.native());
      CAPTURE(name);
      const bool is_ours = name.rfind("outbox/", 0) == 0;
      const bool is_standard =
          name.find('/') == std::string::npos && name.find(".h") == std::string::npos;
      const bool is_json = file.filename() == "json.hpp" && name == "nlohmann/json.hpp";
      CHECK((is_ours || is_standard || is_json));
    }
  }
}

TEST_CASE("tools use public headers only") {
  for (const fs::path& file : files_below("tools")) {
    for (const std::string& name : includes_of(file)) {
      CAPTURE(file.native());
      CAPTURE(name);
      const std::string room = name.substr(0, name.find('/'));
      const std::set<std::string> rooms = {"core", "storage", "sinks", "dispatch", "api"};
      CHECK_FALSE(rooms.contains(room));
    }
  }
}

TEST_CASE("no file hides a second idea behind 300 lines, and no line runs past 100 columns") {
  for (const char* folder : {"lib", "include", "tools"}) {
    for (const fs::path& file : files_below(folder)) {
      std::ifstream stream{file};
      std::size_t lines = 0;
      for (std::string line; std::getline(stream, line); ++lines) {
        CAPTURE(file.native());
        CAPTURE(lines + 1);
        // Letters, not bytes: those that continue a character do not count.
        CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <=
              100);
      }
      CAPTURE(file.native());
      CHECK(lines <= 300);
    }
  }
}
