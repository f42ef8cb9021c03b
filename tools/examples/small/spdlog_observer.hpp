#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <outbox/observer.hpp>
#include <utility>

// What a dispatcher tells, as lines of a spdlog logger. A notice never holds a token, nor data of
// people.
inline outbox::Observer log_to(std::shared_ptr<spdlog::logger> logger) {
  return [logger = std::move(logger)](const outbox::Notice& notice) {
    using Kind = outbox::Notice::Kind;
    spdlog::level::level_enum level = spdlog::level::info;
    switch (notice.kind) {
      case Kind::request:  // many: only those that failed are worth a line by default
        level = notice.verdict == outbox::Verdict::delivered ? spdlog::level::debug
                                                             : spdlog::level::warn;
        break;
      case Kind::dead:
      case Kind::database_trouble:
        level = spdlog::level::err;
        break;
      case Kind::suspect:
      case Kind::hold:
      case Kind::warning:
        level = spdlog::level::warn;
        break;
      default:  // active, standby, resumed, and kinds of a later version
        break;
    }
    logger->log(level, "outbox {} {}: {}", notice.destination, outbox::to_string(notice.kind),
                notice.text);
  };
}
