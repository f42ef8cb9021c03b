#pragma once

// The promises, checked against the table after every step.

#include <SQLiteCpp/SQLiteCpp.h>

#include "simulation/model.hpp"

namespace simulation {

/// How much an endpoint may change its mind.
enum class Oracle {
  strict,  // it begins to refuse everything only while no search is under way: no innocent dies
  formal,  // whenever it likes: nobody dies without the evidence that docs/guarantees.md asks for
};

/// Throws: `Violation`. Notes in `model` who is dead.
void check(SQLite::Database& db, Model& model, Oracle oracle);

}  // namespace simulation
