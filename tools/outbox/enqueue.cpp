#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>

#include <chrono>
#include <iostream>
#include <limits>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "confirm.hpp"
#include "destination.hpp"
#include "event_reader.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "json.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/errors.hpp"
#include "outbox/inspect.hpp"
#include "outbox/migrate.hpp"
#include "progress.hpp"

namespace cli {

namespace {

// What is checked before the database is locked, so that others wait for the writing alone. It is
// in memory at once.
constexpr std::size_t group_events_max = 10'000;
constexpr std::size_t group_bytes_max = 16'000'000;
constexpr std::size_t chunk_group_events_max = 500;

struct EnqueueFlags {
  std::string file = "-";
  std::string ordering_key;
  std::string dedupe_key;
  std::string delay;
  std::size_t chunk_events = 0;  // 0: all or nothing
  bool creates = false;
};

outbox::EnqueueOptions options_of(const EnqueueFlags& flags, const Globals& globals) {
  outbox::EnqueueOptions options{.destination = globals.destination_to_send(),
                                 .ordering_key = flags.ordering_key,
                                 .dedupe_key = flags.dedupe_key};
  if (!flags.delay.empty()) {
    options.not_before = std::chrono::system_clock::now() + duration_of(flags.delay);
  }
  return options;
}

// The next events of the input, at most `events_max`.
std::vector<outbox::Event> read_group(EventReader& reader, std::size_t events_max) {
  std::vector<outbox::Event> events;
  for (std::size_t bytes = 0; events.size() < events_max && bytes < group_bytes_max;) {
    auto text = reader.next();
    if (!text) break;
    bytes += text->size();
    events.emplace_back(outbox::Payload{.text = *std::move(text)});
  }
  return events;
}

struct Result {
  std::size_t enqueued = 0;
  std::size_t duplicates = 0;  // only a single event can be one
  std::int64_t first_id = 0;
  std::int64_t last_id = 0;
};

// Enqueues one group after the other, and counts.
class Queueing {
 public:
  Queueing(EventReader& reader, const outbox::EnqueueOptions& options, std::size_t group_events)
      : reader_{reader}, options_{options}, group_events_{group_events} {}

  /// Reads the first group, so that bad events are known before anything is made for them.
  void read_first() {
    next_ = read_group(reader_, group_events_);
    if (next_.empty()) throw Failure{usage, "the input holds no event"};
  }

  bool has_more() const { return !next_.empty(); }

  /// Enqueues groups, until there are `events_min`, in the transaction that is open on `db`.
  void run(SQLite::Database& db, std::size_t events_min) {
    outbox::Writer writer{db};
    for (std::size_t done = 0; done < events_min && has_more();) {
      done += next_.size();
      enqueue(writer);
      next_ = read_group(reader_, group_events_);
    }
  }

  /// Commits what was enqueued since the last time.
  void keep(SQLite::Transaction& transaction) {
    progress_.keep(static_cast<std::int64_t>(result_.enqueued),
                   [&transaction] { transaction.commit(); });
  }

  /// The first group, into a database of its own. Throws for bad events.
  void try_first() const {
    SQLite::Database scratch{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    outbox::migrate(scratch);
    const SQLite::Transaction transaction{scratch};
    outbox::enqueue(scratch, next_, options_);
  }

  const Result& result() const { return result_; }

 private:
  void enqueue(outbox::Writer& writer) try {
    const std::vector<outbox::Enqueued> stored = writer.enqueue(next_, options_);
    if (result_.first_id == 0) result_.first_id = stored.front().id;
    result_.last_id = stored.back().id;
    result_.duplicates += stored.front().is_duplicate ? 1 : 0;
    result_.enqueued += stored.size() - (stored.front().is_duplicate ? 1 : 0);
    seen_ += stored.size();
    progress_.show(static_cast<std::int64_t>(seen_));
  } catch (const outbox::invalid_event& error) {
    throw outbox::invalid_event{error.element() + seen_, error.field(), error.reason()};
  }

  EventReader& reader_;
  const outbox::EnqueueOptions& options_;
  std::size_t group_events_;
  std::vector<outbox::Event> next_ = {};
  std::size_t seen_ = 0;
  Result result_ = {};
  Progress progress_{"enqueued", 0, Progress::Leaves::kept};
};

void enqueue_at_once(SQLite::Database& db, Queueing& queueing) {
  SQLite::Transaction transaction{db};  // deferred: the first group is checked before it locks
  queueing.run(db, 1);
  if (queueing.has_more()) {
    std::cerr << "! more than " << grouped(group_events_max)
              << " events, or 16 MB, in one transaction: other writers wait until it ends. "
                 "--chunk-events 1000 commits in steps\n";
    queueing.run(db, std::numeric_limits<std::size_t>::max());
  }
  queueing.keep(transaction);
}

// Lets other writers in for as long as the step took.
void enqueue_in_chunks(SQLite::Database& db, Queueing& queueing, std::size_t chunk_events) {
  while (queueing.has_more()) {
    const Result before = queueing.result();
    try {
      const auto begin = std::chrono::steady_clock::now();
      SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
      queueing.run(db, chunk_events);
      queueing.keep(transaction);
      std::this_thread::sleep_for(std::chrono::steady_clock::now() - begin);
    } catch (const std::exception&) {
      std::cerr << "! " << grouped(static_cast<std::int64_t>(before.enqueued))
                << " events before it are enqueued";
      if (before.enqueued > 0) std::cerr << ": " << before.first_id << " to " << before.last_id;
      std::cerr << "\n";
      throw;
    }
  }
}

// Without a lock on the app's database: into one in memory.
void try_all(Queueing& queueing) {
  SQLite::Database scratch{":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  outbox::migrate(scratch);
  while (queueing.has_more()) {
    const SQLite::Transaction transaction{scratch};
    queueing.run(scratch, 1);
  }
}

// The event that has the dedupe key already, if one is given and there is one.
std::optional<std::int64_t> event_with_key(SQLite::Database& db,
                                           const outbox::EnqueueOptions& options) {
  if (options.dedupe_key.empty()) return std::nullopt;
  SQLite::Statement event{
      db, "select id from main.outbox_events where destination = ?1 and dedupe_key = ?2"};
  event.bind(1, options.destination);
  event.bind(2, options.dedupe_key);
  return event.executeStep() ? std::optional{event.getColumn(0).getInt64()} : std::nullopt;
}

Result try_out(SQLite::Database& db, Queueing& queueing, const outbox::EnqueueOptions& options) {
  try_all(queueing);
  const auto duplicate_of = event_with_key(db, options);
  return duplicate_of ? Result{.duplicates = 1, .first_id = *duplicate_of} : queueing.result();
}

void report(const Globals& globals, const Result& result) {
  const std::string count = events_text(static_cast<std::int64_t>(result.enqueued));
  if (globals.is_json) {
    const auto id = [&](std::int64_t stored) {
      return globals.is_dry_run ? Json(nullptr) : Json(stored);
    };
    Json json{{"enqueued", globals.is_dry_run ? 0 : result.enqueued},
              {"first_id", id(result.first_id)},
              {"last_id", id(result.last_id)}};
    if (globals.is_dry_run) json["would_enqueue"] = result.enqueued;
    std::cout << json.dump() << "\n";
  } else if (globals.is_dry_run) {
    std::cout << "would enqueue " << count
              << (result.duplicates > 0
                      ? ": event " + std::to_string(result.first_id) + " has this dedupe key\n"
                      : "\n");
  } else if (result.duplicates > 0) {
    std::cout << "0 events enqueued: event " << result.first_id << " has this dedupe key\n";
  } else if (result.enqueued == 1) {
    std::cout << count << " enqueued: " << result.first_id << "\n";
  } else {
    std::cout << count << " enqueued: " << result.first_id << " to " << result.last_id << "\n";
  }
}

ExitCode enqueue(const EnqueueFlags& flags, const Globals& globals) {
  const outbox::EnqueueOptions options = options_of(flags, globals);
  const std::unique_ptr<std::istream> input = open_input(flags.file);
  EventReader reader{*input};
  // A chunk is whole groups.
  // With a dedupe key all of it is one, so that the library refuses a second event.
  const bool is_one_group = flags.chunk_events == 0 || !options.dedupe_key.empty();
  const std::size_t group_events =
      is_one_group ? group_events_max : std::min(flags.chunk_events, chunk_group_events_max);
  Queueing queueing{reader, options, group_events};
  queueing.read_first();
  const bool may_create = flags.creates && !globals.is_dry_run;
  if (may_create) queueing.try_first();
  const Access access = globals.is_dry_run ? Access::read
                        : may_create       ? Access::create
                                           : Access::write;
  SQLite::Database db = open_database(globals, access);
  if (may_create) outbox::migrate(db);
  // Refuses a newer schema, as every other command does; to store an event needs only the log.
  static_cast<void>(outbox::list_destinations(db));
  // No error, since the destination may be new; but a typing mistake should be seen.
  if (options.destination != "track") {
    const std::string doubt = doubt_about(db, options.destination);
    if (!doubt.empty()) std::cerr << "! " << doubt << "\n";
  }
  if (globals.is_dry_run) {
    report(globals, try_out(db, queueing, options));
    return done;
  }
  if (flags.chunk_events > 0) {
    enqueue_in_chunks(db, queueing, flags.chunk_events);
  } else {
    enqueue_at_once(db, queueing);
  }
  report(globals, queueing.result());
  return done;
}

}  // namespace

void add_enqueue(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command =
      app.add_subcommand("enqueue",
                         "Queue Track events: JSON object, array or NDJSON; all or nothing\n\n"
                         "  outbox enqueue --db app.db invite.json\n"
                         "  cat events.ndjson | outbox enqueue --db app.db -\n"
                         "  outbox enqueue --db app.db --chunk-events 1000 many.ndjson");
  const auto flags = std::make_shared<EnqueueFlags>();  // lives as long as the callback below
  const auto add = [&](const char* name, auto& value, const char* about) {
    return command->add_option(name, value, about)->check(not_empty);
  };
  add("FILE", flags->file, "File to read; - (default): standard input");
  add("--ordering-key", flags->ordering_key,
      "Deliver events with the same key one after the other");
  add("--dedupe-key", flags->dedupe_key, "Store it only once; for a single event");
  add("--delay", flags->delay, "Not before this time has passed: 30s, 5m, 2h, 7d")
      ->check(a_duration);
  add("--chunk-events", flags->chunk_events,
      "Commit after each N events, so that other writers wait less; after an error earlier "
      "chunks stay. 500 and more are rounded up to a multiple of 500")
      ->check(CLI::Range(1, 1'000'000));
  command->add_flag("--create", flags->creates, "Make and migrate the database if it is not there");
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] { return enqueue(*flags, globals); };
  });
}

}  // namespace cli
