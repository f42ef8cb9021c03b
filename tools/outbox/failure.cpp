#include "failure.hpp"

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>

#include "database_files.hpp"
#include "format.hpp"
#include "outbox/errors.hpp"

namespace cli {

namespace {

Failure failure_of_sqlite(const Globals& globals, int code, const std::string& what) {
  const int primary = code & 0xFF;
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    // doctor itself could not read it.
    const bool is_doctor =
        std::find(globals.words.begin(), globals.words.end(), "doctor") != globals.words.end();
    return {busy, globals.db + ": " + without_prefix(what) + ": try again" +
                      (is_doctor ? ". `lsof` and `fuser` name who has it open"
                                 : ". `" + hint(globals, "doctor") + "` names who has it open")};
  }
  if (primary == SQLITE_INTERRUPT) {
    return {failed, "reading gave no row for " + globals.read_timeout +
                        ": give a longer --read-timeout, if the file is yours and whole"};
  }
  // Where the library has found out that a user may not write, it has said so itself.
  const bool is_about_writing = (primary == SQLITE_READONLY || primary == SQLITE_CANTOPEN) &&
                                what.find("may not write") == std::string::npos;
  if (const std::string problem = is_about_writing ? write_problem(globals) : "";
      !problem.empty()) {
    return {failed, problem};
  }
  const std::string place = globals.db.empty() ? "" : globals.db + ": ";
  return {failed, place + without_prefix(what) + cause_of_trouble(globals)};
}

}  // namespace

Failure failure_in_hand(const Globals& globals) try { throw; } catch (const Failure& failure) {
  return failure;
} catch (const outbox::schema_error& error) {
  return {schema, globals.db + ": " + with_hints(globals, without_prefix(error.what()))};
} catch (const outbox::database_error& error) {
  return failure_of_sqlite(globals, error.code(), error.what());
} catch (const SQLite::Exception& error) {
  return failure_of_sqlite(globals, error.getErrorCode(), error.what());
} catch (const std::invalid_argument& error) {
  return {usage, error.what()};
} catch (const std::exception& error) {
  return {failed, error.what()};
}

}  // namespace cli
