#include "core/decide/search.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace outbox::core;
using Blame = Search::Blame;

namespace {

Ids ids(std::int64_t first, std::int64_t last) {
  Ids all(static_cast<std::size_t>(last - first + 1));
  std::iota(all.begin(), all.end(), first);
  return all;
}

}  // namespace

TEST_CASE("a refused batch is halved, left first") {
  CHECK(Search::of_batch(ids(1, 128), Blame::other_part).text() == "1-64+65-128");
  CHECK(Search::of_batch(ids(1, 5), Blame::other_part).text() == "1-3+4-5");
  CHECK(Search::of_batch(ids(1, 2), Blame::other_part).text() == "1+2");
}

TEST_CASE("after a failure, or when the batch was too large, no part is blamed for the other") {
  CHECK(Search::of_batch(ids(1, 128), Blame::nobody).text() == "1-64|65-128");
  CHECK(Search::of_batch({7}, Blame::nobody).text() == "7");
}

TEST_CASE("when the first part is accepted, the guilty one is in the other, which is halved") {
  Search search = Search::of_batch(ids(1, 8), Blame::other_part);
  search.accept(ids(1, 4));
  CHECK(search.text() == "5-6+7-8");
  search.accept(ids(5, 6));
  CHECK(search.text() == "7+8");
  search.accept(ids(7, 7));
  CHECK(search.text() == "8");
}

TEST_CASE("when the first part is refused it is halved, and nothing is known of the other") {
  Search search = Search::of_batch(ids(1, 8), Blame::other_part);
  search.split(ids(1, 4), Blame::other_part);
  CHECK(search.text() == "1-2+3-4|5-8");
  search.split(ids(1, 2), Blame::other_part);
  CHECK(search.text() == "1+2|3-8");
}

TEST_CASE("the first that is found leaves, and the rest is tried as a whole") {
  Search search = Search::of_batch(ids(1, 8), Blame::other_part);
  search.set_aside(1, 1);
  CHECK(search.text() == "2-8");
}

TEST_CASE("the more are found with nothing accepted between, the less is tried at once") {
  Search search = Search::of_batch(ids(1, 43), Blame::other_part);
  search.set_aside(1, 1);
  search.set_aside(2, 2);
  CHECK(search.text() == "3-12|13-43");
  search.set_aside(3, 3);
  CHECK(search.text() == "4|5-43");
  search.accept(ids(4, 4));
  CHECK(search.text() == "5-8|9-43");
  search.accept(ids(5, 8));
  CHECK(search.text() == "9-24|25-43");
}

TEST_CASE("a part may be sent in pieces") {
  Search search = Search::of_batch(ids(1, 8), Blame::other_part);
  search.accept(ids(1, 1));
  CHECK(search.text() == "2-4+5-8");
  search.split(ids(2, 3), Blame::other_part);
  CHECK(search.text() == "2+3|4-8");
}

TEST_CASE("an event that has left the queue leaves the search, wherever it is in it") {
  Search search = Search::of_batch(ids(1, 8), Blame::other_part);
  search.accept(Ids{2, 6});
  CHECK(search.text() == "1,3-4+5,7-8");
  search.accept(ids(1, 8));
  CHECK(search.is_empty());
  CHECK(search.text().empty());
}

TEST_CASE("every search ends, whatever the answers are") {
  // Each bit of `answers` is the next answer; an event alone is set aside when it is refused.
  for (std::uint32_t answers = 0; answers < 4'096; ++answers) {
    CAPTURE(answers);
    Search search = Search::of_batch(ids(1, 9), Blame::other_part);
    std::uint32_t bits = answers;
    int requests = 0;
    while (!search.is_empty() && requests < 100) {
      const Ids next = search.next();
      const bool is_refused = (bits & 1U) != 0;
      bits = bits >> 1U | (answers & 1U) << 11U;
      if (!is_refused) {
        search.accept(next);
      } else if (next.size() == 1) {
        search.set_aside(next.front(), requests % 4);
      } else {
        search.split(next, requests % 3 == 0 ? Blame::nobody : Blame::other_part);
      }
      ++requests;
    }
    CHECK(requests < 100);
  }
}

TEST_CASE("what is stored comes back") {
  for (const char* text : {"", "7", "1-64+65-128", "1-2+3|4-8", "1,3+5|9", "2-8", "3|4-20"}) {
    CAPTURE(text);
    CHECK(Search::parse(text).text() == text);
  }
}

TEST_CASE("what nobody stored is an empty search") {
  for (const char* text : {"|",
                           "+",
                           "1+",
                           "1|",
                           "|1",
                           "+1",
                           "1-",
                           "2-1",
                           "1,1",
                           "3,2",
                           "5+4",
                           "5|4",
                           "a",
                           "1;2",
                           "-1",
                           "0x1",
                           "1-99999999999999999999",
                           " 1",
                           "1|2+3",
                           "1-9223372036854775807",
                           "9223372036854775807-9223372036854775807x"}) {
    CAPTURE(text);
    CHECK(Search::parse(text).is_empty());
  }
}
