// Owner, modes and the WAL. Looks with stat only: closing a file of the database would drop
// SQLite's locks.

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "database_files.hpp"
#include "doctor.hpp"
#include "format.hpp"
#include "status.hpp"

namespace cli {

namespace {

using Level = outbox::Finding::Level;
constexpr std::uint64_t wal_bytes_usual = 64 * 1024 * 1024;

// "pid 4127 (app)" for each process that has the file open, as far as this user may know.
std::vector<std::string> processes_with(const std::string& path) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& process : std::filesystem::directory_iterator{"/proc", error}) {
    const std::string pid = process.path().filename().native();
    if (!std::all_of(pid.begin(), pid.end(),
                     [](unsigned char c) { return std::isdigit(c) != 0; }) ||
        pid == std::to_string(getpid())) {
      continue;
    }
    for (const auto& file : std::filesystem::directory_iterator{process.path() / "fd", error}) {
      if (std::filesystem::read_symlink(file.path(), error).native() != path) continue;
      std::string name;
      std::getline(std::ifstream{process.path() / "comm"}, name);
      found.push_back("pid " + pid + " (" + escaped(name) + ")");
      break;
    }
  }
  return found;
}

// Whether other users than the owner and the group come to the file through its folders.
bool may_be_reached(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path folder = fs::canonical(path, error);
  while (!error && folder.has_relative_path()) {
    folder = folder.parent_path();
    if ((fs::status(folder, error).permissions() & fs::perms::others_exec) == fs::perms::none) {
      return false;
    }
  }
  return !error;
}

void look_at_wal(const Globals& globals, Findings& findings) {
  const std::uint64_t bytes = bytes_of_wal(globals);
  const auto processes = processes_with(path_of_database(globals).native() + "-wal");
  const std::string who = processes.empty() ? "" : "; open in " + joined(processes, ", ");
  if (bytes <= wal_bytes_usual) {
    findings.push_back({"wal", Level::good, how_large(bytes) + who});
    return;
  }
  findings.push_back({"wal", Level::warning,
                      how_large(bytes) +
                          ": a reader that never ends its transaction blocks the checkpoint" +
                          who});
}

}  // namespace

void look_at_files(const Globals& globals, Findings& findings) {
  struct stat database {};
  if (stat(globals.db.c_str(), &database) != 0) return;
  bool is_well = true;
  if (std::string problem = write_problem(globals); !problem.empty()) {
    findings.push_back({"files", Level::problem, std::move(problem)});
    is_well = false;
  }
  if ((database.st_mode & S_IROTH) != 0 && may_be_reached(globals.db)) {
    findings.push_back(
        {"files", Level::warning,
         "every user of this machine may read the people in the events:  chmod o-r " +
             escaped(shell_quoted(globals.db))});
    is_well = false;
  }
  for (const std::filesystem::path& file : files_beside_database(globals)) {
    struct stat facts {};
    if (stat(file.c_str(), &facts) != 0 || facts.st_uid == database.st_uid) continue;
    findings.push_back({"files", Level::problem,
                        escaped(file.native()) + " belongs to uid " + std::to_string(facts.st_uid) +
                            " and the database to uid " + std::to_string(database.st_uid) +
                            ", who may be unable to write it:  chown " +
                            std::to_string(database.st_uid) + " " +
                            escaped(shell_quoted(file.native()))});
    is_well = false;
  }
  if (is_well) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o",
                  static_cast<unsigned>(database.st_mode) & 07777U);
    findings.push_back(
        {"files", Level::good, std::string{"mode "} + mode.data() + ", all of one owner"});
  }
  look_at_wal(globals, findings);
}

}  // namespace cli
