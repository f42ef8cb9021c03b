// The architecture, kept true: includes go strictly downward, and each room keeps its own tools.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

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

std::string text_of(const fs::path& file) {
  std::ifstream stream{file};
  return {std::istreambuf_iterator<char>{stream}, {}};
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

std::string room_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

}  // namespace

TEST_CASE("includes in lib go downward: dispatch, then storage and sinks, then core") {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"core", {"core", "outbox"}},
      {"storage", {"storage", "core", "outbox"}},
      {"sinks", {"sinks", "core", "outbox"}},
      {"dispatch", {"dispatch", "storage", "sinks", "core", "outbox"}}};
  std::size_t seen = 0;
  for (const fs::path& file : files_below("lib")) {
    const std::string room = room_of(fs::relative(file, source / "lib").generic_string());
    const auto rule = allowed.find(room);
    if (rule == allowed.end()) continue;  // lib/public_values.cpp belongs to no room
    for (const std::string& name : includes_of(file)) {
      const std::string target = room_of(name);
      if (!allowed.contains(target) && target != "outbox") continue;
      CAPTURE(file.native());
      CAPTURE(name);
      CHECK(rule->second.contains(target));
      ++seen;
    }
  }
  CHECK(seen > 50);
}

TEST_CASE("SQL is spoken in storage alone, HTTP in sinks, and threads are made in dispatch") {
  struct Rule {
    const char* include;
    std::set<std::string> rooms;
  };
  const Rule rules[] = {
      {"sqlite3.h", {"storage", "dispatch"}},  // dispatch asks for autocommit only
      {"SQLiteCpp/Database.h", {"storage"}},  {"curl/curl.h", {"sinks"}}, {"thread", {"dispatch"}},
      {"mutex", {"dispatch", "sinks"}},  // sinks: libcurl is started once
      {"nlohmann/json.hpp", {"core"}}};
  for (const fs::path& file : files_below("lib")) {
    const std::string room = room_of(fs::relative(file, source / "lib").generic_string());
    for (const std::string& name : includes_of(file)) {
      for (const Rule& rule : rules) {
        if (name != rule.include) continue;
        CAPTURE(file.native());
        CAPTURE(name);
        CHECK(rule.rooms.contains(room));
      }
    }
  }
}

TEST_CASE("the core reads no clock, makes no thread and draws no lots") {
  for (const fs::path& file : files_below("lib/core")) {
    const std::string text = text_of(file);
    CAPTURE(file.native());
    for (const char* word : {"system_clock::now", "steady_clock", "random_device", "mt19937",
                             "std::thread", "getenv", "fopen", "fstream"}) {
      CAPTURE(word);
      CHECK(text.find(word) == std::string::npos);
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
      const std::string room = room_of(name);
      CHECK_FALSE((room == "core" || room == "storage" || room == "sinks" || room == "dispatch"));
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
