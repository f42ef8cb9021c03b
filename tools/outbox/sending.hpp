#pragma once

// The options of the commands that send, and the endpoint they make.

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "globals.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/track_api.hpp"

namespace cli {

struct SendingFlags {
  std::string url;
  std::string token_file;
  std::string auth = "bearer";
  std::size_t batch_events = outbox::DispatcherOptions{}.batch_events;
  std::size_t batch_bytes = outbox::DispatcherOptions{}.batch_bytes;
  std::size_t connections = outbox::DispatcherOptions{}.connections;
  std::string ca_file;
  std::string proxy;
  bool allows_plain_http = false;
  std::string give_up_after = "";  // empty: never
};

void add_sending_options(CLI::App& command, SendingFlags& flags);

/// The token is read from `--token-file` or OUTBOX_TOKEN, never from the arguments, which every
/// user of the machine can see. Throws: `std::invalid_argument`.
outbox::Endpoint endpoint_of(const SendingFlags& flags);
outbox::DispatcherOptions dispatcher_options_of(const SendingFlags& flags, const Globals& globals);

}  // namespace cli
