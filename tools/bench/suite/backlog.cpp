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

constexpr auto insert_many = R"sql(
  insert into outbox_events (event_id, destination, payload, validated, ordering_key, state,
    due_at_ms, enqueued_at_ms, settled_at_ms)
  with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ?1)
  select printf('01931c9e-0000-7000-8000-%012x', n), 'track',
    '{"event_name":"invite_sent","user_id":"766b3aef-5904-46fe-af05-a293fee8h345",'
    || '"timestamp":"2024-10-20T15:51:35.059000Z","properties":{"invitee_email":"amy'
    || printf('%08d', n) || '@achme.com","invitee_first_name":"Amy","invitee_last_name":"Frank",'
    || '"invitee_role":"Developer","feature_name":"CUSTOMER_JOURNEY"},'
    || '"context":{"group_id":"bp497d1a-0159-4009-9454-8a1b0e7c0a60"}}',
    1, ?2, ?3, ?4, ?5, iif(?3 = 0, null, ?5)
  from numbers)sql";

void insert(SQLite::Database& db, const Backlog& backlog) {
  if (backlog.events == 0) return;
  SQLite::Statement insert{db, insert_many};
  insert.bind(1, backlog.events);
  if (!backlog.ordering_key.empty()) insert.bind(2, backlog.ordering_key);
  insert.bind(3, backlog.state);
  insert.bind(4, backlog.due_at_ms);
  const auto now = std::chrono::system_clock::now().time_since_epoch();  // nothing old to prune
  insert.bind(5, std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  insert.exec();
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
    db.exec(
        "insert into outbox_destinations (name, delivered) select 'track', count(*)"
        " from outbox_events where state = 1");
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
