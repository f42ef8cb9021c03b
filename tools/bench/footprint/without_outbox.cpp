// What an app without outbox links already.

#include <SQLiteCpp/SQLiteCpp.h>
#include <curl/curl.h>

int main(int argc, char** argv) {
  if (argc < 2) return curl_global_init(CURL_GLOBAL_DEFAULT);
  SQLite::Database db{argv[1], SQLite::OPEN_READWRITE};
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  db.exec("create table if not exists app_rows (id integer primary key)");
  transaction.commit();
  return 0;
}
