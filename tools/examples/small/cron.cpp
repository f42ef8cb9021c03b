// For cron or a timer: delivers what is due, and ends. No thread, no process that must stay alive.
//
//     * * * * *  app  example_cron /var/lib/app/app.db https://… [SECONDS]
//
// A second one that starts meanwhile sends nothing: the lock of the destination says that somebody
// is at work.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <outbox/outbox.hpp>

int main(int argc, char** argv) try {
  if (argc != 3 && argc != 4) return 2;
  const std::chrono::seconds time_max{argc == 4 ? std::atoi(argv[3]) : 50};
  const auto report = outbox::deliver_once(
      outbox::DatabaseFile{argv[1]},
      outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]}), {}, time_max);
  std::printf("%llu delivered, %llu left%s%s\n", static_cast<unsigned long long>(report.delivered),
              static_cast<unsigned long long>(report.remaining), report.hold.empty() ? "" : ": ",
              report.hold.c_str());
  return report.remaining == 0 || report.is_served_elsewhere ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
