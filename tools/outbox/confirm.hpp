#pragma once

// Before many events change: a question on a terminal, `--yes` elsewhere.

#include <string>

#include "globals.hpp"
#include "outbox/operate.hpp"

namespace cli {

/// Asks `question` on a terminal. Throws: `Failure` when the answer is no, or when there is nobody
/// to ask and no `--yes`.
void confirm(const Globals& globals, const std::string& question);

/// Whether there is a person at the terminal.
bool can_ask();

/// Asks, whatever `--yes` says. Throws: `Failure` when the answer is no.
void ask(const std::string& question);

/// Who runs this, for the audit: the user's name, through sudo too.
outbox::ChangeNote note_of(const std::string& reason = {});

outbox::Mode run_of(const Globals& globals);

/// "1 event", "2,410 events"
std::string events_text(std::int64_t count);

}  // namespace cli
