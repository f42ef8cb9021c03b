#pragma once

// What systemd wants to know of a service of Type=notify (sd_notify(3)), without its library.

#include <string>

namespace cli {

/// Sends e.g. "READY=1" to the socket that NOTIFY_SOCKET names; without one, nothing.
void notify_systemd(const std::string& state);

}  // namespace cli
