// The man page outbox(1), as roff, from the same descriptions as the help.

#include <sstream>

#include "help.hpp"
#include "outbox/version.hpp"

namespace cli {

namespace {

// A line of text: roff obeys backslashes, and a dot or a quote at the beginning.
std::string roff(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  const bool is_obeyed = !result.empty() && (result[0] == '.' || result[0] == '\'');
  return is_obeyed ? "\\&" + result : result;
}

// Examples are indented in the descriptions, and keep their lines.
std::string body_of(const std::string& description) {
  std::string text;
  bool is_example = false;
  std::istringstream lines{description};
  for (std::string line; std::getline(lines, line);) {
    const bool is_indented = line.rfind("  ", 0) == 0;
    if (is_indented != is_example) text += is_indented ? ".nf\n" : ".fi\n";
    is_example = is_indented;
    text += line.empty() ? ".sp\n" : roff(is_indented ? line.substr(2) : line) + "\n";
  }
  return text + (is_example ? ".fi\n" : "");
}

std::string options_text(const std::vector<const CLI::Option*>& options) {
  std::string text;
  for (const CLI::Option* option : options) {
    const bool is_flag = option->get_items_expected_max() == 0;
    text += ".TP\n\\fB" + roff(option->get_name(option->get_positional(), true)) + "\\fR" +
            (is_flag || option->get_positional() ? "" : " \\fIVALUE\\fR") + "\n" +
            roff(option->get_description()) + "\n";
  }
  return text;
}

constexpr auto end_of_page = R"(.SH EXIT STATUS
0 done; 1 failed; 2 usage or invalid input; 3 nothing matched; 4 the endpoint refused the
credentials, or there are none; 5 the database is busy; 6 the schema is not migrated, or newer; 7
doctor found problems, or some of what drain was to send died; 130 interrupted. check: 0 ok,
1 warning, 2 critical, 3 unknown.
.SH ENVIRONMENT
.TP
.B OUTBOX_DB
The database, for \-\-db.
.TP
.B OUTBOX_TOKEN
The token. There is no option for it, since every user can see the arguments of a program.
.TP
.B OUTBOX_URL
The endpoint, for \-\-url.
.TP
.B OUTBOX_CONFIG
The file of run, for \-\-config. It overrides the environment; flags override it.
.TP
.B OUTBOX_READ_TIMEOUT
For \-\-read\-timeout.
.TP
.B NO_COLOR
No colour.
.SH FILES
.TP
.I DATABASE\-outbox\-DESTINATION.lock
Elects the dispatcher of a destination, by flock. Leave it where it is.
)";

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string text = std::string{".TH OUTBOX 1 \"\" \"outbox "} + outbox::version() + "\"\n" +
                     ".SH NAME\noutbox \\- inspect and operate an event outbox in SQLite\n"
                     ".SH SYNOPSIS\n.B outbox\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
                     ".SH DESCRIPTION\n" +
                     body_of(app.get_description());
  text += ".SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app)) {
    text += ".SS outbox " + roff(command->get_name()) + "\n" + body_of(command->get_description()) +
            options_text(options_of(*command));
  }
  return text + ".SH OPTIONS OF ALL COMMANDS\n" + options_text(options_of(app)) + end_of_page;
}

}  // namespace cli
