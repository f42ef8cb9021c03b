// How fast the relay to NATS is, beside a loop of the client library alone, in the same run and on
// the same server:
//
//     relay_bench nats://127.0.0.1:4222 --events 100000 --rounds 3
//
// "sink" is the relay with batches that are in memory, "dispatcher" the whole way from the database
// to the mark. tools/bench/relay.sh starts a server for it.

#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "bare.hpp"
#include "outbox/nats.hpp"
#include "outbox/outbox.hpp"
#include "outbox/sink.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string url;
  std::size_t events = 100'000;
  int rounds = 3;
  std::size_t batch = 100;
};

const std::string stream = "RELAY_BENCH";

// 334 bytes, as an invitation of the Track API has.
std::string payload() {
  std::string text = R"({"event_name":"invite_sent","user_id":"766b3aef-5904","x":")";
  text.append(334 - text.size() - 2, 'x');
  return text + "\"}";
}

double seconds(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

outbox::Endpoint endpoint_of(const Settings& settings) {
  return outbox::nats_jetstream({.url = settings.url});
}

double bare(relay_bench::BareClient& client, const Settings& settings, int round) {
  const std::string body = payload();
  const std::string ids = "bare-" + std::to_string(round) + "-";
  return seconds(
      [&] { client.publish("outbox.bench.made", body, settings.events, settings.batch, ids); });
}

outbox::Batch batch_of(const Settings& settings, std::size_t first, int round) {
  outbox::Batch batch{.destination = "bench", .body = "["};
  const std::string body = payload();
  const std::size_t count = std::min(settings.batch, settings.events - first);
  for (std::size_t i = 0; i < count; ++i) {
    std::string id = "sink-" + std::to_string(round);
    id += "-" + std::to_string(first + i);
    batch.events.push_back(
        {.event_id = id, .kind = "made", .offset = batch.body.size(), .bytes = body.size()});
    batch.body += body + (i + 1 == count ? "]" : ",");
  }
  return batch;
}

double sink(const Settings& settings, int round) {
  std::vector<outbox::Batch> batches;
  for (std::size_t first = 0; first < settings.events; first += settings.batch) {
    batches.push_back(batch_of(settings, first, round));
  }
  const outbox::Endpoint endpoint = endpoint_of(settings);
  return seconds([&] {
    for (std::size_t token = 0; token < batches.size(); ++token) {
      endpoint.sink().submit(token, std::move(batches[token]));
      for (bool is_answered = false; !is_answered;) {
        for (const auto& reply : endpoint.sink().collect(std::chrono::minutes{1})) {
          is_answered = true;
          if (reply.outcome.verdict != outbox::Verdict::delivered) {
            throw std::runtime_error{reply.outcome.reason};
          }
        }
      }
    }
  });
}

double dispatcher(const Settings& settings, const std::filesystem::path& folder, int round,
                  std::size_t connections) {
  const std::string name = "app-" + std::to_string(round) + "-" + std::to_string(connections);
  const std::string path = folder / (name + ".db");
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5'000};
  db.exec("pragma journal_mode = wal; pragma synchronous = normal");
  outbox::migrate(db);
  SQLite::Transaction transaction{db};
  outbox::Writer writer{db};
  const std::string body = payload();
  for (std::size_t i = 0; i < settings.events; ++i) {
    writer.enqueue(outbox::Payload{.text = body}, {.destination = "bench", .kind = "made"});
  }
  transaction.commit();
  return seconds([&] {
    const auto report = outbox::deliver_once(
        path, endpoint_of(settings),
        {.destination = "bench", .batch_events = settings.batch, .connections = connections},
        std::chrono::minutes{10});
    if (report.delivered != settings.events) throw std::runtime_error{"not all was delivered"};
  });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void measure(const Settings& settings, const std::filesystem::path& folder) {
  relay_bench::BareClient client{settings.url};
  std::vector<double> times[4];
  const auto fresh = [&](double time, std::vector<double>& into) {
    if (client.count(stream) != settings.events) throw std::runtime_error{"messages are missing"};
    into.push_back(time);
    client.make_stream(stream, "outbox.bench.*");
  };
  client.make_stream(stream, "outbox.bench.*");
  for (int round = 0; round < settings.rounds; ++round) {
    fresh(bare(client, settings, round), times[0]);
    fresh(sink(settings, round), times[1]);
    fresh(dispatcher(settings, folder, round, 1), times[2]);
    fresh(dispatcher(settings, folder, round, 4), times[3]);
  }
  const auto rate = [&](const std::vector<double>& of) {
    return static_cast<double>(settings.events) / median(of);
  };
  std::printf("%6zu %9.0f", settings.batch, rate(times[0]));
  for (int i = 1; i < 4; ++i) {
    std::printf(" %14.0f %5.2f", rate(times[i]), rate(times[i]) / rate(times[0]));
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The relay to NATS beside its client library"};
  Settings settings;
  app.add_option("url", settings.url)->required();
  app.add_option("--events", settings.events)->check(CLI::Range(1, 10'000'000));
  app.add_option("--rounds", settings.rounds)->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  std::string folder = std::filesystem::temp_directory_path() / "outbox-relay-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  int code = 0;
  try {
    std::printf(
        " batch    bare/s         sink/s ratio   dispatcher/s ratio  4 under way/s ratio\n");
    for (const std::size_t batch : {100, 1'000}) {
      settings.batch = batch;
      measure(settings, folder);
      for (const auto& file : std::filesystem::directory_iterator{folder}) {
        std::filesystem::remove(file);
      }
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    code = 1;
  }
  std::filesystem::remove_all(folder);
  return code;
}
