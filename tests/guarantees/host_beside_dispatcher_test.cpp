// A dispatcher is a second writer in the host's database; set up as the README says, the host does
// not feel it. The long run is `liveness host --seconds 60`.

#include <doctest/doctest.h>

#include "support/process.hpp"

TEST_CASE("beside a busy dispatcher no transaction of the host fails") {
  const support::Finished finished = support::run({OUTBOX_LIVENESS, "host", "--seconds", "3"});
  CAPTURE(finished.out);
  CAPTURE(finished.err);
  CHECK(finished.code == 0);
  CHECK(finished.out.find("beside dispatcher") != std::string::npos);
}
