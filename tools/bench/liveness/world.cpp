#include "liveness/world.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

extern char** environ;

namespace liveness {

AppFile::AppFile()
    : folder_{(std::filesystem::temp_directory_path() / "outbox-liveness-XXXXXX").native()} {
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
  path_ = folder_ + "/app.db";
  SQLite::Database db{path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
  db.exec("pragma journal_mode = wal");
  outbox::migrate(db);
}

AppFile::~AppFile() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

SQLite::Database AppFile::connect() const {
  SQLite::Database db{path_, SQLite::OPEN_READWRITE};
  db.setBusyTimeout(5000);
  return db;
}

void commit_event(SQLite::Database& db, const std::string& user_id) {
  SQLite::Transaction transaction{db, SQLite::TransactionBehavior::IMMEDIATE};
  outbox::enqueue(
      db, outbox::InviteSent{
              .user_id = user_id, .group_id = "account-1", .invitee = {.email = "amy@achme.com"}});
  transaction.commit();
}

BlackHole::BlackHole() : socket_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  // The kernel completes connections up to the backlog, and nobody ever reads from them.
  const bool is_listening =
      socket_ >= 0 && bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
      listen(socket_, 1024) == 0 &&
      getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  if (!is_listening) throw std::runtime_error{"cannot listen"};
  port_ = ntohs(address.sin_port);
}

BlackHole::~BlackHole() {
  close(socket_);
}

std::string BlackHole::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/api/track";
}

Quantiles quantiles_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  return {at(0.5), at(0.99), values.back()};
}

pid_t start_again(const std::vector<std::string>& arguments) {
  std::string self = std::filesystem::read_symlink("/proc/self/exe").native();
  std::vector<std::string> all{self};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  posix_spawn_file_actions_t quietly;
  posix_spawn_file_actions_init(&quietly);
  posix_spawn_file_actions_addopen(&quietly, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (posix_spawn(&pid, self.c_str(), &quietly, nullptr, argv.data(), environ) != 0) {
    throw std::runtime_error{"cannot start " + self};
  }
  posix_spawn_file_actions_destroy(&quietly);
  return pid;
}

void reap(pid_t pid) {
  waitpid(pid, nullptr, 0);
}

}  // namespace liveness
