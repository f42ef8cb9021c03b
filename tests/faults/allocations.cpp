#include "faults/allocations.hpp"

#include <curl/curl.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

namespace faults {

namespace {

std::atomic<bool> is_armed{false};
std::atomic<std::int64_t> left{0};
std::atomic<bool> for_ever{false};
std::atomic<bool> struck{false};

bool strikes() {
  if (!is_armed.load(std::memory_order_relaxed)) return false;
  const std::int64_t now = left.fetch_sub(1) - 1;
  if (now > 0 || (now < 0 && !for_ever)) return false;
  struck = true;
  return true;
}

void* allocated(std::size_t bytes) {
  return strikes() ? nullptr : std::malloc(bytes == 0 ? 1 : bytes);
}

sqlite3_mem_methods usual;

void* sqlite_allocated(int bytes) {
  return strikes() ? nullptr : usual.xMalloc(bytes);
}
void* sqlite_grown(void* memory, int bytes) {
  return strikes() ? nullptr : usual.xRealloc(memory, bytes);
}

void* curl_grown(void* memory, std::size_t bytes) {
  return strikes() ? nullptr : std::realloc(memory, bytes);
}
void* curl_cleared(std::size_t count, std::size_t bytes) {
  return strikes() ? nullptr : std::calloc(count, bytes);
}
char* curl_copied(const char* text) {
  return strikes() ? nullptr : strdup(text);
}

}  // namespace

void install_allocation_hooks() {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual);
  sqlite3_mem_methods ours = usual;
  ours.xMalloc = sqlite_allocated;
  ours.xRealloc = sqlite_grown;
  const bool is_done = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK &&
                       // Without it SQLite takes small pieces from a store of the connection.
                       sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK &&
                       curl_global_init_mem(CURL_GLOBAL_DEFAULT, allocated, std::free, curl_grown,
                                            curl_copied, curl_cleared) == CURLE_OK;
  if (!is_done) throw std::runtime_error{"no hooks for allocations"};
}

FailingAllocation::FailingAllocation(std::int64_t nth, Lasts lasts) {
  left = nth;
  for_ever = lasts == Lasts::for_ever;
  struck = false;
  is_armed = true;
}

FailingAllocation::~FailingAllocation() {
  is_armed = false;
}

bool FailingAllocation::has_struck() const {
  return struck;
}

}  // namespace faults

void* operator new(std::size_t bytes) {
  if (void* const memory = faults::allocated(bytes)) return memory;
  throw std::bad_alloc{};
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return faults::allocated(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
