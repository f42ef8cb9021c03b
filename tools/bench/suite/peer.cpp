#include "suite/peer.hpp"

#include <cmath>
#include <iostream>

#include "outbox/outbox.hpp"
#include "suite/backlog.hpp"
#include "suite/raw.hpp"
#include "suite/receiver.hpp"

namespace bench {

namespace {

double rate(std::size_t events, const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return static_cast<double>(events) / seconds_since(begin);
}

}  // namespace

void print_peer_round(Size size) {
  const std::size_t count = size == Size::full ? 20'000 : 1'000;
  const std::string path = scratch_path("peer.db");
  make_database(path, Backlog{});
  const Receiver receiver;
  const raw::Database db = raw::open(path);
  raw::execute(db, "pragma synchronous = normal");
  outbox::Writer writer{db.get()};
  const outbox::Event event = sample_invite();
  const double one = rate(count, [&] {
    for (std::size_t i = 0; i < count; ++i) {
      raw::execute(db, "begin immediate");
      writer.enqueue(event);
      raw::execute(db, "commit");
    }
  });
  const std::vector<outbox::Event> all(count, event);
  const double many = rate(count, [&] {
    raw::execute(db, "begin immediate");
    writer.enqueue(std::span{all});
    raw::execute(db, "commit");
  });
  const double drained = rate(2 * count, [&] {
    outbox::deliver_once(
        outbox::DatabaseFile{path},
        outbox::track_api({.credentials = outbox::bearer("token"), .url = receiver.url()}), {},
        std::chrono::minutes{2});
  });
  std::cout << std::lround(one) << '\t' << std::lround(many) << '\t' << std::lround(drained)
            << std::endl;
}

}  // namespace bench
