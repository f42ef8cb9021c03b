#include <SQLiteCpp/Transaction.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "format.hpp"
#include "globals.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/migrate.hpp"
#include "split_events.hpp"

namespace cli {

namespace {

// All of it is in memory until it is committed, since it is all or nothing.
constexpr std::size_t input_bytes_max = 256 * 1024 * 1024;

struct EnqueueFlags {
  std::string file = "-";
  std::string ordering_key;
  std::string dedupe_key;
  std::string delay;
  bool creates = false;
};

std::string read_all(std::istream& stream, const std::string& name) {
  std::string text;
  std::vector<char> buffer(64 * 1024);
  while (stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size())) ||
         stream.gcount() > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > input_bytes_max) {
      throw Failure{usage, name + " is larger than " + how_large(input_bytes_max)};
    }
  }
  if (stream.bad()) throw Failure{usage, "cannot read " + name};
  return text;
}

std::string read_input(const std::string& file) {
  if (file == "-") {
    if (isatty(STDIN_FILENO) != 0) std::cerr << "reads events from standard input, to Ctrl-D\n";
    return read_all(std::cin, "standard input");
  }
  std::ifstream stream{file, std::ios::binary};
  if (!stream) throw Failure{usage, "cannot open " + escaped(file)};
  return read_all(stream, escaped(file));
}

outbox::EnqueueOptions options_of(const EnqueueFlags& flags, const Globals& globals) {
  outbox::EnqueueOptions options{.destination = globals.destination_to_send(),
                                 .ordering_key = flags.ordering_key,
                                 .dedupe_key = flags.dedupe_key};
  if (!flags.delay.empty()) {
    options.not_before = std::chrono::system_clock::now() + duration_of(flags.delay);
  }
  return options;
}

// Throws for bad events before a database is made for them.
void require_valid(const std::vector<outbox::Event>& events,
                   const outbox::EnqueueOptions& options) {
  SQLite::Database scratch{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  outbox::migrate(scratch);
  const SQLite::Transaction transaction{scratch};
  outbox::enqueue(scratch, events, options);
}

void report(const Globals& globals, const std::vector<outbox::Enqueued>& enqueued) {
  const bool is_duplicate = enqueued.front().duplicate;  // only a single event can be one
  const std::size_t count = is_duplicate ? 0 : enqueued.size();
  if (globals.is_json) {
    using Json = nlohmann::ordered_json;
    const auto id = [&](std::int64_t stored) {
      return globals.is_dry_run ? Json(nullptr) : Json(stored);
    };
    std::cout << Json{{"enqueued", globals.is_dry_run ? 0 : count},
                      {"first_id", id(enqueued.front().id)},
                      {"last_id", id(enqueued.back().id)}}
                     .dump()
              << "\n";
  } else if (globals.is_dry_run) {
    std::cout << "would enqueue " << count << (count == 1 ? " event\n" : " events\n");
  } else if (is_duplicate) {
    std::cout << "0 events enqueued: event " << enqueued.front().id << " has this dedupe key\n";
  } else if (count == 1) {
    std::cout << "1 event enqueued: " << enqueued.front().id << "\n";
  } else {
    std::cout << count << " events enqueued: " << enqueued.front().id << " to "
              << enqueued.back().id << "\n";
  }
}

ExitCode enqueue(const EnqueueFlags& flags, const Globals& globals) {
  const outbox::EnqueueOptions options = options_of(flags, globals);
  const std::string text = read_input(flags.file);
  std::vector<outbox::Event> events;
  for (const std::string_view event : split_events(text)) {
    events.emplace_back(outbox::Payload{.text = std::string{event}});
  }
  if (events.empty()) throw Failure{usage, "the input holds no event"};

  const bool may_create = flags.creates && !globals.is_dry_run;
  if (may_create) require_valid(events, options);
  SQLite::Database db = open_database(globals, may_create ? Access::create : Access::write);
  if (may_create) outbox::migrate(db);
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  const std::vector<outbox::Enqueued> enqueued = outbox::enqueue(db, events, options);
  if (!globals.is_dry_run) transaction.commit();
  report(globals, enqueued);
  return done;
}

}  // namespace

void add_enqueue(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("enqueue",
                         "Queue Track events: JSON object, array or NDJSON; all or nothing\n\n"
                         "  outbox enqueue --db app.db invite.json\n"
                         "  cat events.ndjson | outbox enqueue --db app.db -");
  const auto flags = std::make_shared<EnqueueFlags>();  // lives as long as the callback below
  command->add_option("FILE", flags->file, "File to read; - (default): standard input");
  command->add_option("--ordering-key", flags->ordering_key,
                      "Deliver events with the same key one after the other");
  command->add_option("--dedupe-key", flags->dedupe_key, "Store it only once; for a single event");
  command->add_option("--delay", flags->delay, "Not before this time has passed: 30s, 5m, 2h, 7d");
  command->add_flag("--create", flags->creates, "Make and migrate the database if it is not there");
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return enqueue(*flags, globals); };
  });
}

}  // namespace cli
