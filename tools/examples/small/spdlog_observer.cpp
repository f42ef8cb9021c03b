// The dispatcher's notices in the host's spdlog.
//
//     example_spdlog_observer DATABASE URL

#include "spdlog_observer.hpp"

#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>
#include <cstdio>
#include <outbox/outbox.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  const auto logger = spdlog::stdout_logger_mt("app");
  logger->set_level(spdlog::level::debug);

  const auto report = outbox::deliver_once(
      outbox::DatabaseFile{argv[1]},
      outbox::track_api({.credentials = outbox::bearer("t0ken"), .url = argv[2]}),
      {.observer = log_to(logger)}, std::chrono::seconds{10});
  return report.remaining == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
