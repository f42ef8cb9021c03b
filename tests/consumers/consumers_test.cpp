// outbox as its users get it: installed, static and shared, found by CMake and by pkg-config, or
// built inside their own project, with g++ and with clang.

#include <doctest/doctest.h>

#include <iterator>
#include <sstream>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/sanitized.hpp"
#include "track_server/server.hpp"

namespace {

using Arguments = std::vector<std::string>;

const std::string source = OUTBOX_SOURCE_DIR;
const Arguments compilers = {"g++", "clang++"};

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

void check_delivers(const std::string& program, const support::TemporaryFolder& folder) {
  static int number = 0;
  track_server::TrackServer server;
  const std::string db = folder.file("app" + std::to_string(++number) + ".db");
  CHECK(must({program, db, server.url()}) ==
        "outbox " + std::string{outbox::version()} + " delivered 1\n");
  CHECK(server.event_count() == 1);
}

void check_find_package(const support::TemporaryFolder& folder, const std::string& prefix) {
  for (const std::string& compiler : compilers) {
    CAPTURE(compiler);
    const std::string build = folder.file("find-" + compiler);
    must({"cmake", "-G", "Ninja", "-S", source + "/tests/consumers/find_package", "-B", build,
          "-DCMAKE_CXX_COMPILER=" + compiler, "-DCMAKE_PREFIX_PATH=" + prefix});
    must({"cmake", "--build", build});
    check_delivers(build + "/consumer", folder);
  }
}

void check_pkg_config(const support::TemporaryFolder& folder, const std::string& prefix,
                      const std::string& libraries) {
  const support::Environment environment = {{"PKG_CONFIG_PATH", libraries + "/pkgconfig"}};
  std::istringstream words{must({"pkg-config", "--cflags", "--libs", "outbox"}, environment)};
  const Arguments flags{std::istream_iterator<std::string>{words}, {}};
  for (const std::string& compiler : compilers) {
    CAPTURE(compiler);
    const std::string program = folder.file("pkg-" + compiler);
    Arguments command = {compiler, "-std=c++20", source + "/tests/consumers/main.cpp", "-o",
                         program};
    command.insert(command.end(), flags.begin(), flags.end());
    command.insert(command.end(), {"-lsqlite3", "-Wl,-rpath," + libraries});
    must(command);
    check_delivers(program, folder);
  }
  CHECK(std::filesystem::exists(prefix + "/include/outbox/outbox.hpp"));
}

std::string library_folder(const std::string& prefix) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator{prefix}) {
    if (entry.path().filename() == "pkgconfig") return entry.path().parent_path().native();
  }
  FAIL("no pkgconfig folder");
  return {};
}

// The last word of each line that `nm` prints.
Arguments symbols(const Arguments& nm) {
  std::istringstream lines{must(nm)};
  Arguments names;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) names.push_back(line);
  }
  return names;
}

void check_add_subdirectory(const std::string& kind) {
  const support::TemporaryFolder folder;
  for (const std::string& compiler : compilers) {
    CAPTURE(compiler);
    const std::string build = folder.file(compiler);
    must({"cmake", "-G", "Ninja", "-S", source + "/tests/consumers/add_subdirectory", "-B", build,
          "-DOUTBOX_SOURCE_DIR=" + source, "-DCMAKE_CXX_COMPILER=" + compiler, kind});
    must({"cmake", "--build", build});
    check_delivers(build + "/consumer", folder);
  }
}

}  // namespace

TEST_CASE("an installed static library serves consumers by find_package and by pkg-config" *
          doctest::skip(support::is_sanitized)) {
  const support::TemporaryFolder folder;
  const std::string prefix = folder.file("prefix");
  must({"cmake", "--install", OUTBOX_BINARY_DIR, "--prefix", prefix});
  const std::string libraries = library_folder(prefix);
  check_find_package(folder, prefix);
  check_pkg_config(folder, prefix, libraries);

  for (const std::string& line : symbols({"nm", "--defined-only", libraries + "/liboutbox.a"})) {
    CAPTURE(line);
    CHECK(line.find(" sqlite3_") == std::string::npos);  // one SQLite in a process: the host's
  }
}

TEST_CASE("an installed shared library serves consumers, and exports the public names only" *
          doctest::skip(support::is_sanitized)) {
  const support::TemporaryFolder folder;
  const std::string prefix = folder.file("prefix");
  const std::string build = folder.file("build");
  must({"cmake", "-G", "Ninja", "-S", source, "-B", build, "-DBUILD_SHARED_LIBS=ON",
        "-DOUTBOX_BUILD_TESTS=OFF", "-DOUTBOX_BUILD_TOOLS=OFF",
        "-DCMAKE_INSTALL_PREFIX=" + prefix});
  must({"cmake", "--build", build});
  must({"cmake", "--install", build});
  const std::string libraries = library_folder(prefix);
  check_find_package(folder, prefix);
  check_pkg_config(folder, prefix, libraries);

  const Arguments exported =
      symbols({"nm", "--dynamic", "--defined-only", "--demangle", libraries + "/liboutbox.so"});
  CHECK(exported.size() > 20);
  for (const std::string& line : exported) {
    CAPTURE(line);
    CHECK(line.find("outbox::v0::") != std::string::npos);
  }
}

TEST_CASE("a host builds outbox inside its own project, static" *
          doctest::skip(support::is_sanitized)) {
  check_add_subdirectory("-DBUILD_SHARED_LIBS=OFF");
}

TEST_CASE("a host builds outbox inside its own project, shared" *
          doctest::skip(support::is_sanitized)) {
  check_add_subdirectory("-DBUILD_SHARED_LIBS=ON");
}
