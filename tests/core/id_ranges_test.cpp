#include "core/id_ranges.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using outbox::core::ranges_contain;
using outbox::core::ranges_text;

TEST_CASE("neighbouring ids are written as one range") {
  CHECK(ranges_text(std::vector<std::int64_t>{}).empty());
  CHECK(ranges_text(std::vector<std::int64_t>{7}) == "7");
  CHECK(ranges_text(std::vector<std::int64_t>{7, 8, 9, 11, 20, 21}) == "7-9,11,20-21");
}

TEST_CASE("a set holds the ids it was written from and no others") {
  const std::vector<std::int64_t> ids{1, 2, 3, 9, 12, 13, 4'000'000'000};
  const std::string text = ranges_text(ids);
  for (std::int64_t id = 0; id < 20; ++id) {
    CAPTURE(id);
    CHECK(ranges_contain(text, id) == (std::find(ids.begin(), ids.end(), id) != ids.end()));
  }
  CHECK(ranges_contain(text, 4'000'000'000));
  CHECK_FALSE(ranges_contain("", 1));
  CHECK_FALSE(ranges_contain("rubbish", 1));
}
