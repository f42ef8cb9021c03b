#include "journal.hpp"

#include <iterator>
#include <stdexcept>
#include <utility>

namespace track_server {

Journal::Journal(const Options& options) : keeps_events_{options.keeps_events} {
  if (options.log_path.empty()) return;
  log_.open(options.log_path, std::ios::binary | std::ios::app);
  if (!log_) throw std::runtime_error("cannot open the log " + options.log_path);
}

void Journal::record(Request request, std::vector<std::string> events) {
  {
    const std::scoped_lock lock{mutex_};
    log(events);
    keep(std::move(request));
    ++request_count_;
    event_count_ += events.size();
    if (keeps_events_) {
      events_.insert(events_.end(), std::make_move_iterator(events.begin()),
                     std::make_move_iterator(events.end()));
    }
  }
  changed_.notify_all();
}

void Journal::log(const std::vector<std::string>& events) {
  if (!log_.is_open() || events.empty()) return;
  log_.clear();  // a disk that was full may have room again
  for (const std::string& event : events) log_ << event << '\n';
  log_.flush();
  if (!log_) throw std::runtime_error("cannot write the log");
}

void Journal::keep(Request request) {
  request_bytes_ += request.body.size();
  requests_.push_back(std::move(request));
  while (requests_.size() > requests_max ||
         (request_bytes_ > request_bytes_max && requests_.size() > 1)) {
    request_bytes_ -= requests_.front().body.size();
    requests_.pop_front();
  }
}

void Journal::close() {
  {
    const std::scoped_lock lock{mutex_};
    is_closed_ = true;
  }
  changed_.notify_all();
}

std::vector<std::string> Journal::events() const {
  const std::scoped_lock lock{mutex_};
  return events_;
}

std::size_t Journal::event_count() const {
  const std::scoped_lock lock{mutex_};
  return event_count_;
}

std::size_t Journal::request_count() const {
  const std::scoped_lock lock{mutex_};
  return request_count_;
}

std::vector<Request> Journal::requests() const {
  const std::scoped_lock lock{mutex_};
  return {requests_.begin(), requests_.end()};
}

bool Journal::wait_for_events(std::size_t count, std::chrono::milliseconds time_max) const {
  return wait_for(event_count_, count, time_max);
}

bool Journal::wait_for_requests(std::size_t count, std::chrono::milliseconds time_max) const {
  return wait_for(request_count_, count, time_max);
}

bool Journal::wait_for(const std::size_t& counter, std::size_t count,
                       std::chrono::milliseconds time_max) const {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, time_max, [&] { return counter >= count || is_closed_; });
  return counter >= count;
}

}  // namespace track_server
