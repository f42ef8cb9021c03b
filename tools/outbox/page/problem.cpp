#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include "api.hpp"
#include "format.hpp"
#include "mask.hpp"
#include "outbox/errors.hpp"
#include "outbox/inspect.hpp"

namespace page {

namespace {

const char* title_of(int status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "Not signed in";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found";
    case 405:
      return "Wrong method";
    case 409:
      return "Not as things are now";
    case 413:
      return "Too large";
    case 415:
      return "Wrong type of content";
    case 421:
      return "Wrong host";
    case 503:
      return "Not now";
    default:
      return status >= 500 ? "The page is in trouble" : "Not done";
  }
}

Problem problem_of_sqlite(int code, const std::string& what) {
  const int primary = code & 0xFF;
  if (primary == SQLITE_INTERRUPT) {
    return {503, "reading took too long; narrow the filter, or try again when the machine is idle"};
  }
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return {503, "another connection holds the database: " + what};
  }
  return {500, what};
}

}  // namespace

Json Problem::json() const {
  Json json{{"type", "about:blank"},
            {"title", title_of(status_)},
            {"status", status_},
            {"detail", outbox::mask_addresses(what())}};
  json.update(more_);
  return json;
}

Problem current_problem() {
  try {
    throw;
  } catch (const Problem& problem) {
    return problem;
  } catch (const outbox::schema_error& error) {
    return {503, error.what()};
  } catch (const outbox::database_error& error) {
    return problem_of_sqlite(error.code(), error.what());
  } catch (const SQLite::Exception& error) {
    return problem_of_sqlite(error.getErrorCode(), error.what());
  } catch (const cli::Failure& failure) {
    return {failure.code() == cli::usage ? 400 : 503, failure.what()};
  } catch (const std::invalid_argument& error) {
    return {400, error.what()};
  } catch (const std::exception& error) {
    return {500, error.what()};
  }
}

}  // namespace page
