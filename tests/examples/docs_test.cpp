// The documents' examples run: what they show is what happens.

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "support/database.hpp"
#include "support/files.hpp"
#include "support/process.hpp"
#include "support/track.hpp"
#include "track_server/server.hpp"

using nlohmann::json;

namespace {

// The fenced blocks of a language, in order.
std::vector<std::string> blocks_of(const std::string& name, const std::string& language) {
  std::vector<std::string> blocks;
  std::istringstream lines{support::source_text(name)};
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (is_inside && line == "```") {
      is_inside = false;
    } else if (is_inside) {
      blocks.back() += line + "\n";
    } else if (line == "```" + language) {
      is_inside = true;
      blocks.emplace_back();
    }
  }
  return blocks;
}

// What a link to a heading is called: "## What `status` says" is "what-status-says".
std::set<std::string> anchors_of(const std::string& name) {
  std::set<std::string> anchors;
  std::istringstream lines{support::source_text(name)};
  bool is_inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("```", 0) == 0) is_inside = !is_inside;
    const std::size_t begin = line.find_first_not_of('#');
    if (is_inside || begin == 0 || begin == std::string::npos) continue;
    std::string anchor;
    for (const char c : line.substr(begin + 1)) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == ' ') anchor += '-';
      if (std::isalnum(byte) != 0 || c == '-' || c == '_' || byte >= 0x80) {
        anchor += static_cast<char>(std::tolower(byte));
      }
    }
    anchors.insert(anchor);
  }
  return anchors;
}

std::vector<json> delivered_from(support::AppDatabase& app) {
  track_server::TrackServer server;
  outbox::deliver_once(app.path(), support::endpoint_of(server));
  std::vector<json> events;
  for (const std::string& event : server.events()) events.push_back(json::parse(event));
  return events;
}

}  // namespace

TEST_CASE("the README's program is the one that is compiled and run here") {
  const std::string program = support::source_text("tests/examples/quickstart.cpp");
  const auto blocks = blocks_of("README.md", "cpp");
  REQUIRE_FALSE(blocks.empty());
  CHECK(blocks[0] == program.substr(program.find("\n\n") + 2));
}

TEST_CASE("the webhook of docs/relay.md is the one that is compiled and run") {
  const auto blocks = blocks_of("docs/relay.md", "cpp");
  REQUIRE_FALSE(blocks.empty());
  CHECK(std::find(blocks.begin(), blocks.end(),
                  support::source_text("tests/examples/webhook.hpp")) != blocks.end());
}

TEST_CASE("the example server tells of all sign-ups and invites, once and in order") {
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("token")} << "t0ken\n";
  track_server::TrackServer server;
  const std::vector<std::string> command = {OUTBOX_EXAMPLE_SERVER, folder.file("app.db"),
                                            server.url(), folder.file("token"), "40"};

  const support::Finished finished = support::run(command);

  CHECK(finished.code == 0);
  CHECK(finished.out == "160 delivered, 40 scheduled, 0 due, 0 dead\n");
  CHECK(finished.err.find("track request: delivered\n") != std::string::npos);
  CHECK(finished.err.find("achme.com") == std::string::npos);
  CHECK(server.event_count() == 160);
  std::map<std::string, std::string> told;  // of each user, in order of arrival
  for (const std::string& text : server.events()) {
    const json event = json::parse(text);
    const std::string name = event.contains("event_name") ? event["event_name"]
                             : event.contains("group_id") ? "group"
                                                          : "identify";
    told[event["user_id"]] += name + " ";
  }
  CHECK(told.size() == 40);
  for (const auto& [user, names] : told) CHECK(names == "identify group signed_up invite_sent ");
}

TEST_CASE("the programs of the guides are the ones that are compiled and run") {
  const auto after_blank = [](const std::string& text) {
    return text.substr(text.find("\n\n") + 2);
  };
  const auto sinks = blocks_of("docs/sinks.md", "cpp");
  REQUIRE(sinks.size() == 1);
  CHECK(sinks[0] == after_blank(support::source_text("tests/examples/line_sink.hpp")));

  const auto testing = blocks_of("docs/testing.md", "cpp");
  REQUIRE(testing.size() == 4);
  const std::string app = support::source_text("tests/examples/invites/app.hpp");
  CHECK(testing[0] == app.substr(app.find("#include")));
  CHECK(testing[1] == support::source_text("tests/examples/invites/with_doctest.cpp"));
  CHECK(support::source_text("tests/examples/invites/with_catch2.cpp").rfind(testing[2], 0) == 0);
  CHECK(testing[3] == support::source_text("tests/examples/invites/with_googletest.cpp"));

  const auto operations = blocks_of("docs/operations.md", "cpp");
  REQUIRE(operations.size() == 2);
  const std::string small = "tools/examples/small/";
  CHECK(support::source_text(small + "metrics_endpoint.cpp").find(operations[0]) !=
        std::string::npos);
  CHECK(operations[1] == after_blank(support::source_text(small + "spdlog_observer.hpp")));
}

TEST_CASE("the README's program delivers its invite") {
  const support::TemporaryFolder folder;
  std::ofstream{folder.file("thrivestack.token")} << "t0ken\n";
  track_server::TrackServer server;

  const support::Finished finished = support::run(
      {"/usr/bin/env", "--chdir=" + folder.path().native(), OUTBOX_QUICKSTART, server.url()});

  CHECK(finished.err.empty());
  CHECK(finished.code == 0);
  CHECK(finished.out == "1 delivered\n");
  REQUIRE(server.event_count() == 1);
  CHECK(json::parse(server.events()[0]).at("properties").at("invitee_email") == "amy@achme.com");
}

TEST_CASE("the SQL of docs/schema.md enqueues, from a trigger too, and never twice") {
  support::AppDatabase app;
  for (const std::string& block : blocks_of("docs/schema.md", "sql")) {
    CAPTURE(block);
    REQUIRE_NOTHROW(app.db().exec(block));
  }

  const auto events = delivered_from(app);

  REQUIRE(events.size() == 3);
  CHECK(events[0].at("event_name") == "signed_up");
  CHECK(events[1].at("event_name") == "invite_sent");
  CHECK(events[1].at("properties").at("invitee_email") == "amy@achme.com");
  CHECK(events[1].at("context").at("group_id") == "account-1");
  CHECK(events[2].at("event_name") == "trial_ended");
  CHECK(app.text("select seq from sqlite_sequence where name = 'outbox_events'") == "3");
}

TEST_CASE("the SQL of docs/faq.md takes the outbox out of a database, and it can come back") {
  support::AppDatabase app;
  app.enqueue_many(2);
  for (const std::string& block : blocks_of("docs/faq.md", "sql")) app.db().exec(block);
  CHECK(app.text("select count(*) from sqlite_master where name like 'outbox%'") == "0");
  outbox::migrate(app.db());
  app.enqueue_many(1);
  CHECK(app.text("select max(id) from outbox_events") == "1");
}

TEST_CASE("the Python of docs/schema.md enqueues what it commits, and nothing else") {
  support::AppDatabase app;
  const auto blocks = blocks_of("docs/schema.md", "python");
  REQUIRE(blocks.size() == 1);

  const support::Finished finished = support::run(
      {"/usr/bin/env", "--chdir=" + app.folder().path().native(), "python3", "-c", blocks[0]});

  CHECK(finished.err.empty());
  CHECK(finished.code == 0);
  const auto events = delivered_from(app);
  REQUIRE(events.size() == 1);
  CHECK(events[0].at("user_id") == "user-1");
}

TEST_CASE("the documents name every column of the events") {
  support::AppDatabase app;
  const std::string schema = support::source_text("docs/schema.md");
  SQLite::Statement columns{app.db(), "select name from pragma_table_info('outbox_events')"};
  while (columns.executeStep()) {
    const std::string name = columns.getColumn(0).getString();
    CAPTURE(name);
    CHECK(schema.find("`" + name + "`") != std::string::npos);
  }
}

TEST_CASE("every option is documented, and every documented option exists") {
  const std::string headers = support::source_text("include/outbox/dispatcher.hpp") +
                              support::source_text("include/outbox/track_api.hpp") +
                              support::source_text("include/outbox/enqueue.hpp") +
                              support::source_text("include/outbox/operate.hpp") +
                              support::source_text("include/outbox/webhook.hpp") +
                              support::source_text("include/outbox/nats.hpp") +
                              support::source_text("include/outbox/kafka.hpp");
  const std::string page = support::source_text("docs/configuration.md");
  const std::regex member{R"(\n  [\w:<>, \(\)]+ (\w+)( =|\{)[^;]*;)"};
  const std::regex first_cell{R"(\n\| ((`\w+`(, )?)+) \|)"};
  const std::regex name{R"(`(\w+)`)"};
  for (const std::string options :
       {"DispatcherOptions", "TrackApi", "Webhook", "NatsOptions", "NatsStream", "KafkaOptions",
        "EnqueueOptions", "PruneOptions"}) {
    CAPTURE(options);
    const std::size_t begin = headers.find("\nstruct " + options + " {");
    REQUIRE(begin != std::string::npos);
    const std::string body = headers.substr(begin, headers.find("\n};", begin) - begin);
    std::set<std::string> exist;
    for (std::sregex_iterator found{body.begin(), body.end(), member}, end; found != end; ++found) {
      exist.insert((*found)[1]);
    }
    const std::size_t heading = page.find(": `" + options + "`\n");
    REQUIRE(heading != std::string::npos);
    const std::string section = page.substr(heading, page.find("\n## ", heading) - heading);
    std::set<std::string> documented;
    for (std::sregex_iterator row{section.begin(), section.end(), first_cell}, end; row != end;
         ++row) {
      const std::string cell = (*row)[1];
      for (std::sregex_iterator one{cell.begin(), cell.end(), name}; one != end; ++one) {
        documented.insert((*one)[1]);
      }
    }
    CHECK(exist.size() >= 3);
    CHECK(exist == documented);
  }
}

TEST_CASE("the links of the documents lead somewhere") {
  const std::regex link{R"(\]\(([^)#\s]*)(#([^)]*))?\))"};
  const std::filesystem::path source{OUTBOX_SOURCE_DIR};
  int links = 0;
  std::vector<std::filesystem::path> pages;
  for (const char* folder : {".", "docs", "packaging", "tools/examples"}) {
    for (const auto& entry : std::filesystem::directory_iterator{source / folder}) {
      if (entry.path().extension() == ".md") pages.push_back(entry.path());
    }
  }
  for (const auto& page : pages) {
    const std::string text = support::source_text(std::filesystem::relative(page, source).native());
    for (std::sregex_iterator found{text.begin(), text.end(), link}, end; found != end; ++found) {
      const std::string target = (*found)[1];
      const std::string anchor = (*found)[3];
      if (target.find("://") != std::string::npos) continue;  // not of ours
      CAPTURE(page.native());
      CAPTURE(target);
      CAPTURE(anchor);
      const std::filesystem::path path = target.empty() ? page : page.parent_path() / target;
      REQUIRE(std::filesystem::exists(path));
      if (!anchor.empty()) {
        CHECK(anchors_of(std::filesystem::relative(path, source).native()).count(anchor) == 1);
      }
      ++links;
    }
  }
  CHECK(links > 20);
}
