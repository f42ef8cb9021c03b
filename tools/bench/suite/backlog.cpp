#include "suite/backlog.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "outbox/outbox.hpp"
#include "suite/process.hpp"

namespace bench {

namespace {

// The trigger of the library's tables queues each of them.
constexpr auto insert_many = R"sql(
  insert into outbox_events (event_id, payload, validated, ordering_key, due_at_ms, enqueued_at_ms)
  with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?1)
  select printf('01931c9e-0000-7000-8000-%012x', n),
    '{"event_name":"invite_sent","user_id":"766b3aef-5904-46fe-af05-a293fee8h345",'
    || '"timestamp":"2024-10-20T15:51:35.059000Z","properties":{"invitee_email":"amy'
    || printf('%08d', n) || '@achme.com","invitee_first_name":"Amy","invitee_last_name":"Frank",'
    || '"invitee_role":"Developer","feature_name":"CUSTOMER_JOURNEY"},'
    || '"context":{"group_id":"bp497d1a-0159-4009-9454-8a1b0e7c0a60"}}',
    1, ?2, ?3, ?4
  from numbers)sql";

// A request for each 500 events after ?1.
constexpr auto log_requests = R"sql(
  insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id, last_id, ids,
    delivered_ids, bytes, status, outcome)
  select 'track', max(enqueued_at_ms), 1, count(*), min(event), max(event),
    min(event) || '-' || max(event), min(event) || '-' || max(event), 330 * count(*), 200,
    'delivered'
  from outbox_queue where event > ?1 group by (event - ?1 - 1) / 500 order by min(event))sql";

std::int64_t unix_ms_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

void run_after(SQLite::Database& db, const char* sql, std::int64_t id) {
  SQLite::Statement statement{db, sql};
  statement.bind(1, id);
  statement.exec();
}

void mark_delivered(SQLite::Database& db, std::int64_t after) {
  run_after(db, log_requests, after);
  run_after(db,
            "insert into outbox_destinations (name, delivered, delivered_total, requests_total)"
            " select 'track', sum(events), sum(events), count(*) from outbox_requests"
            " where first_id > ?1 on conflict do update set delivered = delivered"
            " + excluded.delivered, delivered_total = delivered_total + excluded.delivered_total,"
            " requests_total = requests_total + excluded.requests_total",
            after);
  run_after(db, "delete from outbox_queue where event > ?1", after);
}

void insert(SQLite::Database& db, const Backlog& backlog) {
  if (backlog.events == 0) return;
  const std::int64_t last =
      db.execAndGet("select coalesce(max(id), 0) from outbox_events").getInt64();
  SQLite::Statement insert{db, insert_many};
  insert.bind(1, backlog.events);
  if (!backlog.ordering_key.empty()) insert.bind(2, backlog.ordering_key);
  insert.bind(3, backlog.due_at_ms);
  insert.bind(4, unix_ms_now());  // nothing old to prune
  insert.exec();
  if (backlog.state == EventState::delivered) mark_delivered(db, last);
  if (backlog.state == EventState::dead) {
    run_after(db,
              "update outbox_queue set state = 4, settled_at_ms = enqueued_at_ms,"
              " last_error = 'HTTP 422' where event > ?1",
              last);
  }
}

void wait_for_disk(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0 || fsync(descriptor) != 0) throw std::runtime_error{"cannot sync " + path};
  close(descriptor);
}

void make(const std::string& path, std::span<const Backlog> backlogs) {
  {
    SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
    outbox::migrate(db);
    db.exec("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -65536");
    db.exec("begin immediate");
    for (const Backlog& backlog : backlogs) insert(db, backlog);
    db.exec("commit; pragma journal_mode = wal");
  }
  wait_for_disk(path);
}

}  // namespace

outbox::InviteSent sample_invite() {
  return {.user_id = "766b3aef-5904-46fe-af05-a293fee8h345",
          .group_id = "bp497d1a-0159-4009-9454-8a1b0e7c0a60",
          .invitee = {.email = "amy@achme.com",
                      .first_name = "Amy",
                      .last_name = "Frank",
                      .role = "Developer"},
          .feature_name = "CUSTOMER_JOURNEY"};
}

std::string scratch_path(const std::string& name) {
  return (std::filesystem::temp_directory_path() / name).native();
}

void make_database(const std::string& path, std::span<const Backlog> backlogs) {
  in_child([&] { make(path, backlogs); });
}

void make_database(const std::string& path, const Backlog& backlog) {
  make_database(path, std::span{&backlog, 1});
}

void add_events(const std::string& path, const Backlog& backlog) {
  in_child([&] {
    SQLite::Database db{path, SQLite::OPEN_READWRITE};
    insert(db, backlog);
  });
}

void copy_database(const std::string& from, const std::string& to) {
  remove_database(to);
  std::filesystem::copy_file(from, to);
  wait_for_disk(to);
}

void remove_database(const std::string& path) {
  for (const char* ending : {"", "-wal", "-shm", "-journal", "-outbox-track.lock"}) {
    std::filesystem::remove(path + ending);
  }
}

std::int64_t query(const std::string& path, const std::string& sql) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE};
  return db.execAndGet(sql).getInt64();
}

}  // namespace bench
