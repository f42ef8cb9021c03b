// The benchmark works. How fast outbox is, `tools/bench.sh --full` tells.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "support/database.hpp"
#include "support/process.hpp"
#include "support/sanitized.hpp"

namespace {

support::Finished run_bench(const std::string& part, const support::TemporaryFolder& folder) {
  return support::run({OUTBOX_BENCH, part, "--size", "quick", "--cli", OUTBOX_CLI},
                      {{"TMPDIR", folder.path().native()}});
}

}  // namespace

TEST_CASE("the benchmark of delivery prints its rows, and leaves nothing behind" *
          doctest::skip(support::is_sanitized)) {
  support::TemporaryFolder folder;

  const support::Finished finished = run_bench("scaling", folder);

  CAPTURE(finished.err);
  CHECK(finished.code == 0);
  // Backlog, history and waiting events: a rate and a peak each.
  CHECK(std::count(finished.out.begin(), finished.out.end(), '\t') > 6 * 8);
  CHECK(finished.out.find("row\t1,000 beside 2,000 that wait for their key\tevents/s") !=
        std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("a benchmark that cannot work says so, and leaves nothing behind" *
          doctest::skip(support::is_sanitized)) {
  support::TemporaryFolder folder;

  // A program that delivers nothing.
  const support::Finished finished =
      support::run({OUTBOX_BENCH, "drain", "--size", "quick", "--cli", "/bin/true"},
                   {{"TMPDIR", folder.path().native()}});

  CHECK(finished.code == 1);
  CHECK(finished.err.find("0 events came, not 2000") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}
