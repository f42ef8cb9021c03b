// The program `torture_host`: a small app with an outbox, which the torture rows kill, stop and
// starve. It keeps the ledger: what was tried, committed and rolled back, written before and after
// each commit. Every event has a row of the app's own in the same transaction, so that after any
// crash the two must agree.
//
//     torture_host migrate DB
//     torture_host enqueue DB LEDGER PREFIX COUNT       COUNT transactions of one to three events
//     torture_host deliver DB URL [--ca FILE]           once; relays to nats://…; prints the report
//     torture_host run     DB URL                       a dispatcher, until it is ended
//     torture_host erase   DB USER
//     torture_host prune   DB
//     torture_host busy    DB LEDGER PREFIX SECONDS PER_SECOND
//                                                       an event to each of three destinations
//     torture_host settle  URL [TRIES MS [BATCH]]       a database a line on stdin: drain, judge

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <outbox/outbox.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#if defined(OUTBOX_WITH_NATS)
#include <outbox/nats.hpp>
#endif

using namespace std::chrono_literals;

namespace {

using Words = std::vector<std::string>;

SQLite::Database open_app(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 30'000};
  db.exec(
      "pragma journal_mode = wal; pragma wal_autocheckpoint = 20;"
      "create table if not exists notes (user text primary key)");
  return db;
}

outbox::Endpoint endpoint(const std::string& url, const std::string& ca_file = {}) {
#if defined(OUTBOX_WITH_NATS)
  if (url.rfind("nats://", 0) == 0) {
    return outbox::nats_jetstream({.url = url, .stream = "EVENTS", .ack_timeout = 5s});
  }
#endif
  return outbox::track_api({.credentials = outbox::bearer("canary-t0ken"),
                            .url = url,
                            .timeout = 5s,
                            .ca_file = ca_file});
}

outbox::DispatcherOptions options(std::size_t batch = 10) {
  outbox::DispatcherOptions options;
  options.batch_events = batch;
  options.backoff_min = 1ms;
  options.backoff_max = 20ms;
  return options;
}

/// A line is on its way to the file when `note` returns: a killed process loses none.
class Ledger {
 public:
  explicit Ledger(const std::string& path)
      : file_{open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)} {
    if (file_ < 0) throw std::runtime_error{"no ledger"};
  }
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger() { close(file_); }

  void note(const std::string& word, const Words& users) {
    std::string text;
    for (const std::string& user : users) text.append(word).append(" ").append(user).append("\n");
    if (write(file_, text.data(), text.size()) != ssize_t(text.size())) {
      throw std::runtime_error{"the ledger cannot be written"};
    }
  }

 private:
  int file_;
};

void enqueue_some(SQLite::Database& db, const Words& users) {
  for (const std::string& user : users) {
    SQLite::Statement insert{db, "insert into notes values (?)"};
    insert.bind(1, user);
    insert.exec();
    outbox::enqueue(db, outbox::TrackEvent{.event_name = "signed_up", .user_id = user});
  }
}

// Every fourth transaction is rolled back; one in five has a savepoint that is.
void enqueue(const std::string& path, const std::string& ledger_path, const std::string& prefix,
             int count) {
  SQLite::Database db = open_app(path);
  Ledger ledger{ledger_path};
  int number = 0;
  for (int i = 0; i < count; ++i) {
    Words users(std::size_t(1 + i % 3));
    for (std::string& user : users) user = prefix + "-" + std::to_string(++number);
    const bool keeps = i % 4 != 3;
    ledger.note(keeps ? "try" : "rolled", users);
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    enqueue_some(db, users);
    if (i % 5 == 4) {
      const Words phantom{prefix + "-phantom-" + std::to_string(i)};
      ledger.note("rolled", phantom);
      db.exec("savepoint inner");
      enqueue_some(db, phantom);
      db.exec("rollback to inner; release inner");
    }
    if (!keeps) continue;
    transaction.commit();
    ledger.note("ok", users);
  }
}

// A host at work: at most so many transactions a second, each with an event to three destinations.
void be_busy(const std::string& path, const std::string& ledger_path, const std::string& prefix,
             std::chrono::seconds time, int per_second) {
  SQLite::Database db = open_app(path);
  db.exec("pragma wal_autocheckpoint = 1000");
  Ledger ledger{ledger_path};
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0;; ++i) {
    const auto turn = begin + i * std::chrono::microseconds{1'000'000 / per_second};
    if (turn > begin + time) return;
    std::this_thread::sleep_until(turn);
    const Words user{prefix + "-" + std::to_string(i)};
    ledger.note("try", user);
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    SQLite::Statement insert{db, "insert into notes values (?)"};
    insert.bind(1, user[0]);
    insert.exec();
    outbox::enqueue(db, outbox::TrackEvent{.event_name = "signed_up", .user_id = user[0]},
                    {.destinations = {"track", "hooks", "bus"},
                     .ordering_key = "account-" + std::to_string(i % 50)});
    transaction.commit();
    ledger.note("ok", user);
  }
}

void deliver(const std::string& path, const std::string& url, const std::string& ca_file) {
  const outbox::DeliverReport report =
      outbox::deliver_once(path, endpoint(url, ca_file), options(), 2s);
  std::cout << "delivered " << report.delivered << " remaining " << report.remaining << " dead "
            << report.dead << " hold " << report.hold << "\n";
}

void run(const std::string& path, const std::string& url) {
  outbox::Dispatcher dispatcher{path, endpoint(url), options()};
  for (;;) pause();
}

/// How long `settle` tries: `tries` times `each`. A request has at most `batch` events.
struct Patience {
  int tries = 40;
  std::chrono::milliseconds each = 250ms;
  std::size_t batch = 10;
};

// Requests of a process that was killed may have put the destination on hold: each call of
// deliver_once asks once more.
void drain(const std::string& path, const std::string& url, const Patience& patience) {
  for (int i = 0; i < patience.tries; ++i) {
    const outbox::DeliverReport report =
        outbox::deliver_once(path, endpoint(url), options(patience.batch), patience.each);
    if (report.remaining == 0 && report.hold.empty() && !report.is_served_elsewhere) return;
  }
}

std::string state_of(const std::string& path) {
  SQLite::Database db = open_app(path);
  const outbox::Counts counts = outbox::status(db).counts;
  std::size_t problems = 0;
  for (const outbox::Finding& found : outbox::diagnose(db)) {
    problems += std::size_t{found.level == outbox::Finding::Level::problem};
  }
  std::string text = "pending=" + std::to_string(counts.pending);
  text.append(" dead=").append(std::to_string(counts.dead));
  text.append(" integrity=").append(db.execAndGet("pragma integrity_check").getString());
  text.append(" problems=").append(std::to_string(problems));
  return text;
}

void migrate(const std::string& path) {
  SQLite::Database db = open_app(path);
  outbox::migrate(db);
}

// An error may quote what is in a damaged file: its reader takes a carriage return for an end, too.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return text;
}

// Migrates, delivers what is left, and says what the file holds then. Everything is closed when it
// is said, so that the one who reads it may take the file away.
std::string settle(const std::string& path, const std::string& url, const Patience& patience) try {
  migrate(path);
  drain(path, url, patience);
  return one_line(state_of(path));
} catch (const std::exception& error) {
  return one_line(std::string{"error="}.append(error.what()));
}

int run_command(const Words& words) {
  const std::string command = words.at(0);
  if (command == "migrate") {
    migrate(words.at(1));
  } else if (command == "enqueue") {
    enqueue(words.at(1), words.at(2), words.at(3), std::stoi(words.at(4)));
  } else if (command == "busy") {
    be_busy(words.at(1), words.at(2), words.at(3), std::chrono::seconds{std::stoi(words.at(4))},
            std::stoi(words.at(5)));
  } else if (command == "deliver") {
    deliver(words.at(1), words.at(2), words.size() > 4 ? words[4] : "");
  } else if (command == "run") {
    run(words.at(1), words.at(2));
  } else if (command == "erase") {
    outbox::erase(words.at(1), outbox::Subject::user(words.at(2)), {.reason = "asked"});
  } else if (command == "prune") {
    outbox::prune(words.at(1), {.older_than = 0ms});
  } else if (command == "settle") {
    Patience patience;
    if (words.size() > 3) {
      patience = {std::stoi(words[2]), std::chrono::milliseconds{std::stoi(words[3])}};
    }
    if (words.size() > 4) patience.batch = std::stoul(words[4]);
    for (std::string path; std::getline(std::cin, path);) {
      std::cout << settle(path, words.at(1), patience) << std::endl;
    }
  } else {
    throw std::invalid_argument{"no command " + command};
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  return run_command(Words(argv + 1, argv + argc));
} catch (const std::exception& error) {
  std::cerr << "torture_host: " << error.what() << "\n";
  return 1;
}
