#pragma once

// The queue as a whole, in the forms in which several commands show it.

#include <string>

#include "globals.hpp"
#include "json.hpp"
#include "outbox/inspect.hpp"

namespace cli {

Json json_of(const outbox::Status& status, const Globals& globals);
Json json_of(const outbox::DestinationStatus& destination, const Globals& globals);

/// The columns of `outbox status`.
std::string table_of(const outbox::Status& status);

/// "pid 12", and of another host its name.
std::string name_of(const outbox::ActiveDispatcher& dispatcher);

/// What is out of the ordinary at a destination.
struct Note {
  enum class About { hold, pause, suspects, trouble };

  About about;
  std::string text;
  std::vector<std::string> steps = {};  ///< What a person does, a line each.
  bool names_destination = true;        ///< On a screen of several; false: the text says enough.
};
std::vector<Note> notes_on(const outbox::DestinationStatus& destination, const Globals& globals);

/// The same as lines of a screen.
std::vector<std::string> note_lines(const outbox::DestinationStatus& destination,
                                    const Globals& globals);

/// That all that is left of `destination` was refused or failed alone: nothing else asks the
/// endpoint, so no hold says that it refuses everything. Empty: it is not so.
std::string suspects_text(const outbox::DestinationStatus& destination, const Globals& globals);

/// What the hold of `destination`, which has one, means, and what a person does about it.
std::string hold_advice(const outbox::DestinationStatus& destination, const Globals& globals);

/// "1.2 MiB" of WAL; 0: none. Asks the file system, never opens: closing it would drop SQLite's
/// locks.
std::uint64_t bytes_of_wal(const Globals& globals);

}  // namespace cli
