#pragma once

// What the figures were measured on.

namespace bench {

/// Prints lines `machine<TAB>NAME<TAB>VALUE`: file system, fdatasync, SQLite, libcurl. Nothing that
/// names the machine itself.
void print_machine();

}  // namespace bench
