// `--to nats://…` of run, drain and doctor.

#include <doctest/doctest.h>
#include <signal.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "sinks/nats/support.hpp"
#include "support/process.hpp"

using namespace support;

namespace {

struct CliDesk {
  CliDesk() {
    enqueue_numbers(app, 3);
    reader.make_stream("OUT", "outbox.>");
  }
  Finished cli(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), OUTBOX_CLI);
    arguments.insert(arguments.end(), {"--db", app.path()});
    return run(arguments, {{"OUTBOX_TOKEN", "for-another-endpoint"}});
  }

  NatsProcess server;
  NatsReader reader{server};
  AppDatabase app;
};

}  // namespace

TEST_CASE("drain relays, and the token of the Track API goes nowhere") {
  CliDesk desk;
  const Finished done = desk.cli({"drain", "--destination", "events", "--to", desk.server.url(),
                                  "--stream", "OUT", "--format", "cloudevents", "--source", "/a"});
  CHECK(done.code == 0);
  CHECK(done.out == "3 delivered, 0 dead, 0 remaining (1 request)\n");
  CHECK(desk.reader.read("OUT").at(0).headers.at("ce-source") == "/a");
}

TEST_CASE("drain without the credential that was named sends nothing, and ends with 4") {
  CliDesk desk;
  const Finished done = desk.cli({"drain", "--destination", "events", "--to", desk.server.url(),
                                  "--creds-file", desk.app.folder().file("no such file")});
  CHECK(done.code == 4);
  CHECK(done.err.find("cannot be opened: No such file or directory. Nothing was sent") !=
        std::string::npos);
  CHECK(desk.reader.count("OUT") == 0);
}

TEST_CASE("run relays what a section of its file says") {
  CliDesk desk;
  std::ofstream{desk.app.folder().file("outbox.toml")} << "[events]\nto = \"" << desk.server.url()
                                                       << "\"\nsubject = \"outbox.all\"\n";
  Process service{{OUTBOX_CLI, "run", "--db", desk.app.path(), "--config",
                   desk.app.folder().file("outbox.toml")}};
  CHECK(becomes_true([&] { return desk.reader.count("OUT") == 3; }));
  CHECK(service.end(SIGTERM) == 0);
  CHECK(desk.reader.read("OUT").at(0).subject == "outbox.all");
}

TEST_CASE("doctor connects, and says what is wrong") {
  CliDesk desk;
  const auto connection = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"doctor", "--online", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto report = nlohmann::json::parse(desk.cli(arguments).out);
    for (const auto& finding : report["findings"]) {
      if (finding["name"] == "connection") return finding["text"].get<std::string>();
    }
    return std::string{"none"};
  };
  CHECK(connection({"--to", desk.server.url(), "--stream", "OUT"}) ==
        "connects to " + desk.server.url() + "; nothing was sent");
  CHECK(connection({"--to", desk.server.url(), "--stream", "NO"}).find("NATS 10059") !=
        std::string::npos);
  desk.server.kill(SIGKILL);
  CHECK(connection({"--to", desk.server.url()}).find("could not connect") != std::string::npos);
}

TEST_CASE("an address that is none is said before anything is sent") {
  CliDesk desk;
  const auto said = [&](const std::string& to) {
    const Finished done = desk.cli({"drain", "--destination", "events", "--to", to});
    CHECK(done.code == 2);
    return done.err;
  };
  CHECK(said("ftp://x").find("must begin with one of https://") != std::string::npos);
  CHECK(said("nats://10.1.2.3").find("loopback") != std::string::npos);
  CHECK(said("nats://u:sEcret@127.0.0.1").find("sEcret") == std::string::npos);
}
