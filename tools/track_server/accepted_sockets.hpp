#pragma once

// Closing connections of a server in this process from outside its HTTP library.

namespace track_server {

/// Shuts down the connection that a server on `local_port` accepted from `remote_port`.
/// Requires: the connection stays open during the call, as it does in the handler of its request.
void shut_down_accepted(int local_port, int remote_port);

/// Shuts down every connection that a server on `local_port` accepted.
void shut_down_all_accepted(int local_port);

}  // namespace track_server
