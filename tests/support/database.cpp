#include "support/database.hpp"

#include <cstdlib>
#include <stdexcept>

namespace support {

namespace {

SQLite::Database open_as_a_host(const std::string& path) {
  SQLite::Database db{path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.setBusyTimeout(5000);
  db.exec("pragma journal_mode = wal");
  return db;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "outbox-test-XXXXXX").native();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

AppDatabase::AppDatabase(Kept kept)
    : db_{open_as_a_host(kept == Kept::in_file ? path() : ":memory:")} {
  outbox::migrate(db_);
}

SQLite::Database AppDatabase::connect() const {
  return open_as_a_host(path());
}

std::int64_t AppDatabase::enqueue(const outbox::Event& event,
                                  const outbox::EnqueueOptions& options) {
  SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
  const outbox::Enqueued enqueued = outbox::enqueue(db_, event, options);
  transaction.commit();
  return enqueued.id;
}

void AppDatabase::enqueue_many(std::size_t count, const outbox::EnqueueOptions& options) {
  SQLite::Transaction transaction{db_, SQLite::TransactionBehavior::IMMEDIATE};
  outbox::Writer writer{db_};
  for (std::size_t i = 0; i < count; ++i) {
    writer.enqueue(event_of("user-" + std::to_string(i)), options);
  }
  transaction.commit();
}

std::int64_t AppDatabase::insert(const std::string& payload) {
  SQLite::Statement insert{db_, "insert into outbox_events (payload) values (?)"};
  insert.bind(1, payload);
  insert.exec();
  return db_.getLastInsertRowid();
}

std::int64_t AppDatabase::count(const std::string& where) {
  return number("select count(*) from outbox_event_states where " + where);
}

std::int64_t AppDatabase::number(const std::string& sql) {
  return db_.execAndGet(sql).getInt64();
}

void AppDatabase::mark_delivered(std::int64_t first, std::int64_t last, std::int64_t at_ms) {
  const std::string from = std::to_string(first);
  const std::string to = std::to_string(last);
  const std::string ids = first == last ? from : from + "-" + to;
  db_.exec("delete from outbox_queue where event between " + from + " and " + to +
           "; insert into outbox_requests (destination, started_at_ms, took_ms, events, first_id,"
           " last_id, ids, delivered_ids, bytes, status, outcome) values ('track', " +
           std::to_string(at_ms) + ", 0, " + std::to_string(last - first + 1) + ", " + from + ", " +
           to + ", '" + ids + "', '" + ids +
           "', 9, 200, 'delivered');"
           "insert or ignore into outbox_destinations (name) values ('track');"
           "update outbox_destinations set requests_total = requests_total + 1, delivered ="
           " delivered + " +
           to + " - " + from + " + 1, delivered_total = delivered_total + " + to + " - " + from +
           " + 1 where name = 'track'");
}

std::string AppDatabase::text(const std::string& sql) {
  return db_.execAndGet(sql).getString();
}

outbox::InviteSent amy() {
  return {.user_id = "766b3aef-5904-46fe-af05-a293fee8h345",
          .group_id = "bp497d1a-0159-4009-9454-8a1b0e7c0a60",
          .invitee = {.email = "amy@achme.com",
                      .first_name = "Amy",
                      .last_name = "Frank",
                      .role = "Developer"},
          .feature_name = "CUSTOMER_JOURNEY",
          .timestamp = "2024-10-20T15:51:35.059000Z"};
}

outbox::TrackEvent event_of(const std::string& user_id) {
  return {.event_name = "signed_up", .user_id = user_id};
}

std::string payload_of(const std::string& user_id) {
  return R"({"event_name":"signed_up","user_id":")" + user_id +
         R"(","timestamp":"2024-10-20T15:51:35.059000Z"})";
}

}  // namespace support
