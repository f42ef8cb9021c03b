#include <iostream>
#include <string>
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

void measure_marks(int length) {
  constexpr int pending = 1'000'000;
  std::vector<double> shares;
  std::vector<double> marked;
  for (int run = 0; run < 3; ++run) {
    const AppFile app;
    SQLite::Database db = app.connect();
    db.exec("create table app_rows (id integer primary key, text text)");
    fill(db, pending);
    const auto alone = static_cast<double>(write_for(db, seconds{length}));
    track_server::TrackServer server{{.keeps_events = false}};
    outbox::Dispatcher dispatcher{
        app.path(),
        outbox::track_api({.credentials = outbox::bearer("t"), .url = server.url()}),
        {.batch_events = 500}};
    const auto beside = static_cast<double>(write_for(db, seconds{length}));
    marked.push_back(static_cast<double>(dispatcher.stats().delivered) / length);
    shares.push_back(beside / alone);
    std::cout << "writer alone " << alone / length << "/s, beside the dispatcher "
              << beside / length << "/s: " << shares.back() << "; marked " << marked.back()
              << " events/s" << std::endl;
  }
  std::cout << "medians: the writer keeps " << quantiles_of(shares).p50 << " of its rate, "
            << quantiles_of(marked).p50 << " events/s are marked" << std::endl;
}

}  // namespace liveness
