#include "core/event/id_ranges.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace outbox::core;

TEST_CASE("neighbouring ids are written as one range") {
  CHECK(ranges_text(Ids{}).empty());
  CHECK(ranges_text(Ids{7}) == "7");
  CHECK(ranges_text(Ids{7, 8, 9, 11, 20, 21}) == "7-9,11,20-21");
}

TEST_CASE("a set holds the ids it was written from and no others") {
  const Ids ids{1, 2, 3, 9, 12, 13, 4'000'000'000};
  const std::string text = ranges_text(ids);
  for (std::int64_t id = 0; id < 20; ++id) {
    CAPTURE(id);
    CHECK(ranges_contain(text, id) == (std::find(ids.begin(), ids.end(), id) != ids.end()));
  }
  CHECK(ranges_contain(text, 4'000'000'000));
  CHECK_FALSE(ranges_contain("", 1));
  CHECK_FALSE(ranges_contain("rubbish", 1));
}

TEST_CASE("what was written is read again") {
  for (const Ids& ids : {Ids{}, Ids{7}, Ids{7, 8, 9, 11, 20, 21}, Ids{1, 3, 5},
                         Ids{std::numeric_limits<std::int64_t>::max()}}) {
    const std::string text = ranges_text(ids);
    CAPTURE(text);
    CHECK(ids_in(text, 100) == ids);
  }
}

TEST_CASE("no more ids are read than asked for, whatever a text says") {
  CHECK(ids_in("1-9223372036854775807", 3) == Ids{1, 2, 3});
  CHECK(ids_in("1-2,5-9", 4) == Ids{1, 2, 5, 6});
}

TEST_CASE("what nobody wrote ends the set") {
  struct Row {
    std::string text;
    Ids ids;
  };
  const Row rows[] = {
      {"1,2;3", {1, 2}}, {"4,0,5", {4}},
      {"4,-5,6", {4}},   {"9-7,3", {}},
      {"4,x", {4}},      {"4, 5", {4}},
      {"1,", {1}},       {",1", {}},
      {"4-", {4}},       {"99999999999999999999", {}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(ids_in(row.text, 100) == row.ids);
  }
}
