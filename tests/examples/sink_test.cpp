// The example sink of docs/sinks.md does what it says.

#include <doctest/doctest.h>

#include <filesystem>

#include "examples/line_sink.hpp"
#include "support/database.hpp"
#include "support/files.hpp"

namespace {

outbox::Endpoint lines_to(const std::string& path) {
  return outbox::Endpoint{std::make_unique<LineSink>(path)};
}

}  // namespace

TEST_CASE("the example sink writes each event on a line, in commit order") {
  support::AppDatabase app;
  app.insert(support::payload_of("a"));
  app.insert(support::payload_of("b"));
  const std::string path = app.folder().file("events.ndjson");

  CHECK(outbox::deliver_once(app.path(), lines_to(path)).delivered == 2);

  CHECK(support::text_of(path) ==
        support::payload_of("a") + "\n" + support::payload_of("b") + "\n");
}

TEST_CASE("the example sink leaves events pending while its file cannot be written") {
  support::AppDatabase app;
  app.insert(support::payload_of("a"));
  const std::string path = app.folder().file("no such folder/events.ndjson");

  const auto report = outbox::deliver_once(app.path(), lines_to(path), {}, {});

  CHECK(report.delivered == 0);
  CHECK(report.hold == "the file cannot be written");
  CHECK(app.count("state = 'pending' and refusals = 0 and solo_failures = 0") == 1);

  std::filesystem::create_directory(app.folder().path() / "no such folder");
  CHECK(outbox::deliver_once(app.path(), lines_to(path)).delivered == 1);
}

TEST_CASE("the example sink serves a dispatcher") {
  support::AppDatabase app;
  outbox::Dispatcher dispatcher{app.path(), lines_to(app.folder().file("events.ndjson"))};
  app.enqueue(support::amy());
  CHECK(dispatcher.wait_until_idle(std::chrono::minutes{1}));
  CHECK(dispatcher.stats().delivered == 1);
}
