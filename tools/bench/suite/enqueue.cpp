#include "suite/enqueue.hpp"

#include <span>

#include "outbox/outbox.hpp"
#include "suite/backlog.hpp"
#include "suite/raw.hpp"

namespace bench {

namespace {

outbox::TrackEvent track_event() {
  return {.event_name = "invite_sent",
          .user_id = "766b3aef-5904-46fe-af05-a293fee8h345",
          .properties = R"({"invitee_email":"amy@achme.com","invitee_first_name":"Amy",)"
                        R"("invitee_last_name":"Frank","invitee_role":"Developer",)"
                        R"("feature_name":"CUSTOMER_JOURNEY"})",
          .context = R"({"group_id":"bp497d1a-0159-4009-9454-8a1b0e7c0a60"})"};
}

// An app's database with an empty outbox, and a table of the app's own.
class App {
 public:
  explicit App(const char* synchronous) {
    remove_database(path_);
    make_database(path_, Backlog{});
    db_ = raw::open(path_);
    raw::execute(db_, (std::string{"pragma synchronous = "} + synchronous).c_str());
    raw::execute(db_, "create table app_rows (id integer primary key, text text)");
  }

  const raw::Database& db() const { return db_; }
  std::string newest_payload() const {
    const auto select =
        raw::prepare(db_, "select payload from outbox_events order by id desc limit 1");
    sqlite3_step(select.get());
    return reinterpret_cast<const char*>(sqlite3_column_text(select.get(), 0));
  }

 private:
  std::string path_ = scratch_path("app.db");
  raw::Database db_;
};

// One transaction; returns how long it took, in microseconds.
double commit_us(const App& app, const std::function<void()>& write) {
  const auto begin = Clock::now();
  raw::execute(app.db(), "begin immediate");
  write();
  raw::execute(app.db(), "commit");
  return seconds_since(begin) * 1e6;
}

struct Block {
  double p50 = 0;
  double p99 = 0;
};
Block block_of(int transactions, const App& app, const std::function<void()>& write) {
  std::vector<double> took;
  for (int i = 0; i < transactions; ++i) took.push_back(commit_us(app, write));
  return {quantile(took, 0.5), quantile(took, 0.99)};
}

// The app's own transaction: with an event, without, and with the bare row of an event.
void measure_beside_app_row(Size size, const char* synchronous, Goal without, Goal bare) {
  const App app{synchronous};
  const raw::Statement row = raw::prepare(app.db(), "insert into app_rows (text) values (?1)");
  raw::bind(row, 1, "a row of the app, which is there with the event or without it");
  outbox::Writer writer{app.db().get()};
  const outbox::Event event = sample_invite();
  commit_us(app, [&] { writer.enqueue(event); });
  const std::string payload = app.newest_payload();
  raw::EventInsert insert{app.db()};
  const std::function<void()> kinds[] = {[&] {
                                           raw::run(row);
                                           writer.enqueue(event);
                                         },
                                         [&] { raw::run(row); },
                                         [&] {
                                           raw::run(row);
                                           insert.run(payload);
                                         }};
  std::vector<double> p50[3];
  std::vector<double> p99[3];
  for (std::size_t i = 0; i < (size == Size::full ? 42 : 3); ++i) {
    for (std::size_t turn = 0; turn < 3; ++turn) {  // another one is first each time
      const std::size_t kind = (i + turn) % 3;
      const Block block = block_of(250, app, kinds[kind]);
      p50[kind].push_back(block.p50);
      p99[kind].push_back(block.p99);
    }
  }
  const std::string name = std::string{"app row and event, "} + synchronous;
  print_ratio(name + ", p50", "us", {p50[0], p50[1]}, without);
  print_ratio(name + ", p99", "us", {p99[0], p99[1]}, {});
  print_ratio(name + ", p50 beside a bare INSERT", "us", {p50[0], p50[2]}, bare);
}

// `events` a transaction, beside a raw prepared INSERT of the same bytes into the same tables.
Pairs beside_raw_insert(const App& app, int times, int transactions, int events,
                        const std::function<void()>& enqueue_all) {
  commit_us(app, enqueue_all);
  const std::string payload = app.newest_payload();
  raw::EventInsert insert{app.db()};
  const auto rate = [&](const std::function<void()>& write) {
    double us = 0;
    for (int i = 0; i < transactions; ++i) us += commit_us(app, write);
    return 1e6 * transactions * events / us;
  };
  return alternate(
      times, [&] { return rate(enqueue_all); },
      [&] {
        return rate([&] {
          for (int i = 0; i < events; ++i) insert.run(payload);
        });
      });
}

void measure_one_by_one(Size size) {
  const App app{"full"};
  outbox::Writer writer{app.db().get()};
  const outbox::Event event = sample_invite();
  const Pairs pairs =
      beside_raw_insert(app, size == Size::full ? 40 : 2, 250, 1, [&] { writer.enqueue(event); });
  print_ratio("1 event a transaction, full", "events/s", pairs, at_least(0.95));
}

void measure_thousand(Size size, const std::string& kind, const outbox::Event& event, Goal goal) {
  constexpr int events = 1'000;
  const int times = size == Size::full ? 31 : 2;
  const App app{"full"};
  outbox::Writer writer{app.db().get()};
  const Pairs single = beside_raw_insert(app, times, 5, events, [&] {
    for (int i = 0; i < events; ++i) writer.enqueue(event);
  });
  print_ratio("1,000 a transaction, " + kind + ", one by one", "events/s", single, goal);
  const std::vector<outbox::Event> all(events, event);
  const Pairs together =
      beside_raw_insert(app, times, 5, events, [&] { writer.enqueue(std::span{all}); });
  print_ratio("1,000 a transaction, " + kind + ", in one call", "events/s", together, goal);
}

std::string text_of(const outbox::Event& event) {
  const App app{"normal"};
  commit_us(app, [&] { outbox::enqueue(app.db().get(), event); });
  return app.newest_payload();
}

}  // namespace

void measure_enqueue(Size size) {
  say("enqueue: in the app's transaction");
  measure_beside_app_row(size, "full", {}, below(1.05));
  measure_beside_app_row(size, "normal", below(2.58), {});  // 25 us beside 9.7 us
  say("enqueue: one a transaction, and a thousand");
  measure_one_by_one(size);
  measure_thousand(size, "InviteSent", sample_invite(), at_least(0.7));
  measure_thousand(size, "TrackEvent", track_event(), at_least(0.6));
  measure_thousand(size, "Payload", outbox::Payload{text_of(sample_invite())}, at_least(0.6));
}

}  // namespace bench
