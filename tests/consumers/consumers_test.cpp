// outbox as its users get it: installed, static and shared, found by CMake and by pkg-config, and
// built inside their own project, with g++ and with clang. fixtures.cmake builds what is run here.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "support/database.hpp"
#include "support/process.hpp"
#include "track_server/server.hpp"

namespace {

using Arguments = std::vector<std::string>;

const std::string built = OUTBOX_CONSUMERS;

// The folders of "static-g++ shared-clang++".
Arguments folders(const std::string& names) {
  Arguments paths;
  std::istringstream words{names};
  for (std::string name; words >> name;) paths.push_back(built + "/" + name);
  return paths;
}

const Arguments consumers = folders(OUTBOX_CONSUMER_BUILDS);

// Runs a command of which nothing but success is expected.
std::string must(Arguments command, const support::Environment& environment = {}) {
  command.insert(command.begin(), "/usr/bin/env");
  const support::Finished finished = support::run(command, environment);
  CAPTURE(command[1]);
  CAPTURE(finished.out);
  CAPTURE(finished.err);
  REQUIRE(finished.code == 0);
  return finished.out;
}

void check_delivers(const std::string& program) {
  CAPTURE(program);
  const support::TemporaryFolder folder;
  track_server::TrackServer server;
  CHECK(must({program, folder.file("app.db"), server.url()}) ==
        "outbox " + std::string{outbox::version()} + " delivered 1\n");
  CHECK(server.event_count() == 1);
}

// The README's program.
void check_readme(const std::string& program) {
  CAPTURE(program);
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("thrivestack.token")} << "t0ken\n";
  track_server::TrackServer server;
  CHECK(must({"--chdir=" + folder.path().native(), program, server.url()}) == "1 delivered\n");
}

std::string library_folder(const std::string& prefix) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator{prefix}) {
    if (entry.path().filename() == "pkgconfig") return entry.path().parent_path().native();
  }
  FAIL("no pkgconfig folder");
  return {};
}

// What pkg-config says of `package`, as installed in `libraries`.
Arguments flags_of(const std::string& package, const char* kind, const std::string& libraries) {
  const support::Environment environment = {{"PKG_CONFIG_PATH", libraries + "/pkgconfig"}};
  std::istringstream words{must({"pkg-config", kind, package}, environment)};
  return {std::istream_iterator<std::string>{words}, {}};
}

// By ccache, where the build has it: most of the time goes to the same headers each time.
void compile(Arguments command) {
  support::Environment environment;
  for (const char* name : {"HOME", "XDG_CACHE_HOME", "CCACHE_DIR"}) {
    if (const char* value = std::getenv(name)) environment[name] = value;
  }
  if (const char* ccache = std::getenv("OUTBOX_CCACHE")) command.insert(command.begin(), ccache);
  must(command, environment);
}

void build(const Arguments& compiler, const std::string& source, const std::string& program,
           const std::string& package, const std::string& libraries) {
  const auto with = [&](Arguments command, const char* kind) {
    command.insert(command.begin(), compiler.begin(), compiler.end());
    const Arguments flags = flags_of(package, kind, libraries);
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  };
  compile(
      with({"-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-c",
            std::string{OUTBOX_SOURCE_DIR} + "/tests/consumers/" + source, "-o", program + ".o"},
           "--cflags"));
  Arguments link = with({program + ".o", "-o", program}, "--libs");
  link.insert(link.end(), {"-lsqlite3", "-Wl,-rpath," + libraries});
  must(link);
}

void check_pkg_config(const std::string& prefix, const Arguments& compiler) {
  const std::string libraries = library_folder(prefix);
  const support::TemporaryFolder folder;
  const std::string program = folder.file("consumer");
  build(compiler, "main.cpp", program, "outbox", libraries);
  check_delivers(program);
  // A relay, where it was built. Each program ends by itself, with no server.
  for (const auto& [relay, source] :
       {std::pair{"outbox-nats", "relay.cpp"}, {"outbox-kafka", "kafka_relay.cpp"}}) {
    if (!std::filesystem::exists(libraries + "/pkgconfig/" + relay + ".pc")) continue;
    build(compiler, source, program, relay, libraries);
    must({program});
  }
}

// The lines that `nm` prints.
Arguments symbols(const Arguments& nm) {
  std::istringstream lines{must(nm)};
  Arguments names;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

}  // namespace

TEST_CASE("an installed library serves consumers by find_package, static and shared") {
  for (const std::string& folder : consumers) {
    check_delivers(folder + "/consumer_20");
    check_delivers(folder + "/consumer_23");
    check_readme(folder + "/quickstart");
    must({folder + "/invites"});
  }
}

TEST_CASE("the client library of a relay is linked by those who ask for the relay, and no others") {
  for (const std::string& folder : consumers) {
    CAPTURE(folder);
    const std::string libraries = must({"ldd", folder + "/consumer_20"});
    CHECK(libraries.find("libsqlite3") != std::string::npos);  // it was looked at
    CHECK(libraries.find("libnats") == std::string::npos);
    CHECK(libraries.find("librdkafka") == std::string::npos);
    const std::string relay = folder + "/kafka_relay";
    if (!std::filesystem::exists(relay)) continue;  // it was not built
    CHECK(must({relay}) == "kafka://127.0.0.1:1 outbox.event.{destination}\n");
    CHECK(must({"ldd", relay}).find("librdkafka") != std::string::npos);
  }
}

TEST_CASE("an installed library serves consumers by pkg-config, static and shared") {
  check_pkg_config(built + "/static", {"g++", "-std=c++20"});
  check_pkg_config(built + "/shared", {"clang++", "-std=c++2b"});
}

TEST_CASE("a host builds outbox inside its own project") {
  for (const std::string& folder : folders(OUTBOX_HOST_BUILDS)) {
    check_delivers(folder + "/consumer_20");
    check_delivers(folder + "/consumer_23");
    check_readme(folder + "/quickstart");
  }
}

#ifdef OUTBOX_WITH_NATS
TEST_CASE("a program that asks for the relay to NATS gets it, static and shared") {
  for (const std::string& folder : consumers) {
    CHECK(must({folder + "/relay"}).find("NATS: could not connect: ") == 0);
  }
}
#endif

TEST_CASE("the static library brings no SQLite of its own: a process has one, the host's") {
  const std::string library = library_folder(built + "/static") + "/liboutbox.a";
  for (const std::string& line : symbols({"nm", "--defined-only", library})) {
    CAPTURE(line);
    CHECK(line.find(" sqlite3_") == std::string::npos);
  }
}

TEST_CASE("the shared library exports the public names only") {
  const std::string library = library_folder(built + "/shared") + "/liboutbox.so";
  // "0000000000012340 T outbox::v1::version()": the address is nobody's promise, and what is weak
  // (W, V) is what this compiler has left of templates.
  std::set<std::string> exported;
  for (const std::string& line :
       symbols({"nm", "--dynamic", "--defined-only", "--demangle", library})) {
    CHECK(line.find("outbox::v1::") != std::string::npos);
    if (line[17] != 'W' && line[17] != 'V') exported.insert(line.substr(19));
  }
  std::set<std::string> listed;
  std::ifstream list{std::string{OUTBOX_SOURCE_DIR} + "/tests/consumers/symbols.txt"};
  for (std::string line; std::getline(list, line);) listed.insert(line);
  // A change is a decision: see docs/compatibility.md, and then change the list.
  for (const std::string& name : exported) {
    INFO("not listed: ", name);
    CHECK(listed.contains(name));
  }
  for (const std::string& name : listed) {
    INFO("listed, and gone: ", name);
    CHECK(exported.contains(name));
  }
}
