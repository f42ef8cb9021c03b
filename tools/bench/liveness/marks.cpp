#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "liveness/measure.hpp"
#include "liveness/world.hpp"
#include "track_server/server.hpp"

namespace liveness {

namespace {

using std::chrono::seconds;

void fill(SQLite::Database& db, int events) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  outbox::Writer writer{db};
  for (int i = 0; i < events; ++i) {
    writer.enqueue(outbox::InviteSent{.user_id = "user-1", .invitee = {.email = "amy@achme.com"}});
  }
  transaction.commit();
}

// A host in a tight loop of small transactions of its own, with synchronous=FULL.
std::size_t write_for(SQLite::Database& db, seconds length) {
  db.exec("pragma synchronous = full");
  SQLite::Statement insert{db, "insert into app_rows (text) values ('a row of the app')"};
  std::size_t committed = 0;
  for (const auto end = Clock::now() + length; Clock::now() < end; ++committed) {
    SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
    insert.exec();
    insert.reset();
    transaction.commit();
  }
  return committed;
}

}  // namespace

MarksResult marks_beside_writer(const std::string& url, int length, int events) {
  const AppFile app;
  SQLite::Database db = app.connect();
  db.exec("create table app_rows (id integer primary key, text text)");
  fill(db, events);
  outbox::pause(db, "track", {.reason = "the writer alone"});
  const outbox::Dispatcher dispatcher{
      app.path(),
      outbox::track_api({.credentials = outbox::bearer("t"), .url = url}),
      {.batch_events = 500}};
  write_for(db, seconds{1});  // warm

  // A second each in turn, since the machine's mood changes.
  MarksResult result;
  for (int second = 0; second < length; ++second) {
    outbox::pause(db, "track", {.reason = "the writer alone"});
    std::this_thread::sleep_for(std::chrono::milliseconds{300});  // what is under way ends
    const auto alone = static_cast<double>(write_for(db, seconds{1}));
    const std::uint64_t before = dispatcher.stats().delivered;
    outbox::resume(db, "track");
    const auto beside = static_cast<double>(write_for(db, seconds{1}));
    const std::uint64_t after = dispatcher.stats().delivered;
    if (after >= static_cast<std::uint64_t>(events)) break;  // idle for a part of this second
    result.alone.push_back(alone);
    result.beside.push_back(beside);
    result.marked.push_back(static_cast<double>(after - before));
  }
  return result;
}

void measure_marks(int length) {
  track_server::TrackServer server{{.keeps_events = false}};
  const MarksResult result = marks_beside_writer(server.url(), length, 1'000'000);
  std::vector<double> shares;
  for (std::size_t i = 0; i < result.alone.size(); ++i) {
    shares.push_back(result.beside[i] / result.alone[i]);
    std::cout << "writer alone " << result.alone[i] << "/s, beside the dispatcher "
              << result.beside[i] << "/s: " << shares.back() << "; marked " << result.marked[i]
              << " events/s" << std::endl;
  }
  std::cout << "medians of " << shares.size() << ": the writer keeps " << quantiles_of(shares).p50
            << " of its rate, " << quantiles_of(result.marked).p50 << " events/s are marked"
            << std::endl;
}

}  // namespace liveness
