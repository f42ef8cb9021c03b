// serve: a page to look at, on this machine alone.

#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>

#include "destination.hpp"
#include "files.hpp"
#include "format.hpp"
#include "globals.hpp"
#include "outbox/inspect.hpp"
#include "page/server.hpp"

extern char** environ;

namespace cli {

namespace {

struct ServeFlags {
  int port = 0;
  bool allows_changes = false;
  bool opens = false;
};

// A file that leads to the link: arguments of a program are for every user of the machine to read.
class Signpost {
 public:
  explicit Signpost(const std::string& link) {
    folder_ = (std::filesystem::temp_directory_path() / "outbox-serve-XXXXXX").native();
    if (mkdtemp(folder_.data()) == nullptr) throw Failure{failed, "--open: no temporary folder"};
    write_whole(path(),
                "<!doctype html><meta charset=utf-8><title>outbox</title>"
                "<meta http-equiv=refresh content=\"0; url=" +
                    link + "\">\n");
  }
  ~Signpost() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Signpost(const Signpost&) = delete;
  Signpost& operator=(const Signpost&) = delete;

  std::string path() const { return folder_ + "/outbox.html"; }

 private:
  std::string folder_;
};

void open_in_browser(const std::string& path) {
  std::string program = "xdg-open";
  std::string argument = path;
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (posix_spawnp(&pid, program.c_str(), nullptr, nullptr, arguments, environ) != 0) {
    std::cerr << "! --open: there is no xdg-open here: open the link yourself\n";
  }
}

sigset_t blocked_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  // Its terminal goes; not below nohup, which has it ignored.
  struct sigaction hang_up {};
  if (sigaction(SIGHUP, nullptr, &hang_up) == 0 && hang_up.sa_handler != SIG_IGN) {
    sigaddset(&signals, SIGHUP);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

ExitCode serve(const ServeFlags& flags, const Globals& globals) {
  const sigset_t stop_signals = blocked_signals();  // before there is another thread
  {
    SQLite::Database db = open_database(globals, Access::read);
    static_cast<void>(outbox::list_destinations(db));  // what could never be served is told here
    require_used(db, globals);
  }
  signal(SIGCHLD, SIG_IGN);  // nobody waits for the browser
  const page::Server server{{.globals = globals, .can_change = flags.allows_changes}, flags.port};
  std::cout << "outbox serves " << escaped(std::filesystem::path{globals.db}.filename().native())
            << (flags.allows_changes ? ", and lets you change it, at " : ", read-only, at ")
            << server.link() << std::endl;
  std::unique_ptr<Signpost> signpost;
  if (flags.opens) {
    signpost = std::make_unique<Signpost>(server.link());
    open_in_browser(signpost->path());
  }
  int signal_number = 0;
  sigwait(&stop_signals, &signal_number);
  return done;
}

}  // namespace

void add_serve(CLI::App& app, const Globals& globals, Action& action) {
  auto* const command = app.add_subcommand(
      "serve",
      "A page to look at, in your browser\n\n"
      "Prints a link, and serves until Ctrl-C, on this machine alone: from elsewhere use `ssh "
      "-L`.\n"
      "The link holds a password that is new at each start. Read-only and masked, unless you say\n"
      "otherwise.\n\n"
      "  outbox serve --db app.db\n"
      "  outbox serve --db app.db --allow-changes --port 8123");
  const auto flags = std::make_shared<ServeFlags>();
  command->add_option("--port", flags->port, "The port; default: any free one")
      ->check(CLI::Range(1, 65'535));
  command->add_flag("--allow-changes", flags->allows_changes,
                    "Let the page retry, discard, requeue, pause, resume and nudge");
  command->add_flag("--open", flags->opens, "Open the link in your browser");
  command->callback([&globals, &action, flags] {
    action = [&globals, flags] {
      if (globals.is_dry_run) throw Failure{usage, "serve: has no --dry-run"};
      if (globals.is_json) throw Failure{usage, "serve: has no --json"};
      return serve(*flags, globals);
    };
  });
}

}  // namespace cli
