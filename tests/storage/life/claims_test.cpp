#include "storage/life/claims.hpp"

#include <doctest/doctest.h>

#include <type_traits>

using outbox::core::Ids;
using outbox::core::QueuedEvent;
using outbox::storage::Claims;
using outbox::storage::Taken;

namespace {

std::vector<QueuedEvent> rows_of(const Ids& ids) {
  std::vector<QueuedEvent> rows;
  for (const std::int64_t id : ids) rows.push_back({.id = id, .enqueued_at_ms = id * 10});
  return rows;
}

Ids in_flight(const Claims& claims) {
  Ids ids;
  for (std::int64_t id = 1; id < 20; ++id) {
    if (claims.contains(id)) ids.push_back(id);
  }
  return ids;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<Taken> && !std::is_copy_assignable_v<Taken>);
static_assert(std::is_nothrow_move_constructible_v<Taken>);

TEST_CASE("what was taken is in flight, with its row as it was, and nothing else is") {
  Claims claims;
  CHECK(claims.is_empty());
  const Taken taken{claims, rows_of({3, 5, 8})};
  const Taken other{claims, rows_of({4, 9})};

  CHECK(in_flight(claims) == Ids{3, 4, 5, 8, 9});
  REQUIRE(claims.find(5) != nullptr);
  CHECK(claims.find(5)->enqueued_at_ms == 50);
  CHECK(claims.find(6) == nullptr);
}

TEST_CASE("what is not settled goes back by itself, and is looked at again") {
  Claims claims;
  const Taken other{claims, rows_of({9})};
  claims.set_looked_to(9);
  {
    const Taken taken{claims, rows_of({3, 5})};
    CHECK(claims.looked_to() == 9);
  }
  CHECK(in_flight(claims) == Ids{9});
  CHECK(claims.looked_to() == 2);  // from the third on
}

TEST_CASE("what is settled leaves, and nothing is looked at again for it") {
  Claims claims;
  const Taken other{claims, rows_of({9})};
  Taken taken{claims, rows_of({3, 5})};
  claims.set_looked_to(9);

  taken.settle();

  CHECK(taken.is_empty());
  CHECK(in_flight(claims) == Ids{9});
  CHECK(claims.looked_to() == 9);
}

TEST_CASE("while nothing is in flight, all is looked at from the beginning") {
  Claims claims;
  {
    Taken taken{claims, rows_of({3})};
    claims.set_looked_to(7);
    CHECK(claims.looked_to() == 7);
    taken.settle();
  }
  CHECK(claims.looked_to() == 0);
}

TEST_CASE("the place of a look only goes back for what became ready before it") {
  Claims claims;
  const Taken taken{claims, rows_of({3})};
  claims.set_looked_to(7);
  claims.look_from(12);
  CHECK(claims.looked_to() == 7);
  claims.look_from(5);
  CHECK(claims.looked_to() == 4);
}

TEST_CASE("a part is split off, and each of the two goes back by itself") {
  Claims claims;
  Taken rest{claims, rows_of({1, 2, 3, 4})};
  {
    Taken part = rest.split({2, 4});
    CHECK(in_flight(claims) == Ids{1, 2, 3, 4});
    CHECK(claims.find(4)->enqueued_at_ms == 40);
    rest = Taken{};
    CHECK(in_flight(claims) == Ids{2, 4});
  }
  CHECK(claims.is_empty());
}

TEST_CASE("splitting off all, none or what was never taken") {
  Claims claims;
  Taken taken{claims, rows_of({1, 2, 3})};

  CHECK(taken.split({}).is_empty());
  CHECK(taken.split({7, 9}).is_empty());
  CHECK(in_flight(claims) == Ids{1, 2, 3});

  Taken all = taken.split({1, 2, 3});
  CHECK(taken.is_empty());
  CHECK_FALSE(all.is_empty());
  CHECK(taken.split({1}).is_empty());
  CHECK(in_flight(claims) == Ids{1, 2, 3});

  Taken some = all.split({0, 1, 9, 12});
  CHECK_FALSE(some.is_empty());
  some = {};
  CHECK(in_flight(claims) == Ids{2, 3});
}

TEST_CASE("what moves on is in flight until its last owner ends") {
  Claims claims;
  std::vector<Taken> owners;
  {
    Taken taken{claims, rows_of({1, 2})};
    owners.push_back(std::move(taken));
  }
  CHECK(in_flight(claims) == Ids{1, 2});

  owners.front() = Taken{claims, rows_of({6})};  // gives back what it had
  CHECK(in_flight(claims) == Ids{6});
  owners.clear();
  CHECK(claims.is_empty());
}

TEST_CASE("taking nothing claims nothing") {
  Claims claims;
  const Taken taken{claims, {}};
  CHECK(taken.is_empty());
  CHECK(claims.is_empty());
}

TEST_CASE("what is in flight when the connection changes may have changed") {
  Claims claims;
  claims.note_version(2);
  const Taken taken{claims, rows_of({3})};
  CHECK(claims.is_undisturbed_at(2));

  claims.forget_version();  // the other connection counts from the same number

  CHECK_FALSE(claims.is_undisturbed_at(2));
  claims.note_version(2);
  CHECK_FALSE(claims.is_undisturbed_at(2));
}
