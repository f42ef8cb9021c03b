#include <sqlite3.h>

#include "api.hpp"

namespace page {

namespace {

constexpr int look_every = 20'000;  // steps of SQLite's virtual machine: well under a millisecond

}  // namespace

Reader::Reader(const Desk& desk, std::chrono::milliseconds patience)
    : db_{cli::open_database(desk.globals, cli::Access::write)}, patience_{patience} {
  db_.exec("pragma query_only = on");
  restart();
  sqlite3_progress_handler(db_.getHandle(), look_every, &Reader::is_over, this);
}

void Reader::restart() {
  until_ = std::chrono::steady_clock::now() + patience_;
}

int Reader::is_over(void* self) {
  return std::chrono::steady_clock::now() > static_cast<Reader*>(self)->until_ ? 1 : 0;
}

}  // namespace page
