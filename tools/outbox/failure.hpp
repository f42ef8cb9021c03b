#pragma once

// What an exception means for the person at the terminal: a message, and an exit code.

#include "exit_code.hpp"
#include "globals.hpp"

namespace cli {

/// Of the exception that is being handled. Requires: called in a handler.
Failure failure_in_hand(const Globals& globals);

}  // namespace cli
