#include "support/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "support/database.hpp"
#include "support/files.hpp"

namespace support {

namespace {

struct Streams {
  int in;
  int out;
  int err;
};

pid_t spawn(const std::vector<std::string>& arguments, const Environment& environment,
            const Streams& streams) {
  std::vector<std::string> settings = {"PATH=" + std::string{std::getenv("PATH")}};
  for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
  const auto pointers_to = [](const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
  };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, streams.in, 0);
  posix_spawn_file_actions_adddup2(&actions, streams.out, 1);
  posix_spawn_file_actions_adddup2(&actions, streams.err, 2);
  pid_t pid = -1;
  const int error = posix_spawn(&pid, arguments.front().c_str(), &actions, nullptr,
                                pointers_to(arguments).data(), pointers_to(settings).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error{"cannot start " + arguments.front()};
  return pid;
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int open_file(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) throw std::runtime_error{"cannot open " + path};
  return file;
}

}  // namespace

Finished run(const std::vector<std::string>& arguments, const Environment& environment,
             const std::string& input) {
  const TemporaryFolder folder;
  std::ofstream{folder.file("in"), std::ios::binary} << input;
  const Streams streams{open_file(folder.file("in"), O_RDONLY),
                        open_file(folder.file("out"), O_WRONLY | O_CREAT),
                        open_file(folder.file("err"), O_WRONLY | O_CREAT)};
  const pid_t pid = spawn(arguments, environment, streams);
  for (const int file : {streams.in, streams.out, streams.err}) close(file);
  int status = -1;
  rusage usage{};
  while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  return {.code = code_of(status),
          .out = text_of(folder.file("out")),
          .err = text_of(folder.file("err")),
          .peak_rss_kib = usage.ru_maxrss};
}

Process::Process(const std::vector<std::string>& arguments, const Environment& environment) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
  const int nothing = open_file("/dev/null", O_RDWR);
  pid_ = spawn(arguments, environment, {nothing, ends[1], STDERR_FILENO});
  close(nothing);
  close(ends[1]);
  output_ = ends[0];
  char letter = 0;
  while (read(output_, &letter, 1) == 1 && letter != '\n') first_line_ += letter;
  if (letter != '\n') {
    end(SIGKILL);
    throw std::runtime_error{arguments.front() + " ended at its start"};
  }
}

Process::~Process() {
  if (pid_ > 0) end(SIGKILL);
}

int Process::end(int signal) {
  kill(pid_, signal);
  int status = -1;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  close(output_);
  return code_of(status);
}

std::string url_in(const std::string& line) {
  const std::size_t at = line.find("http://");
  return at == std::string::npos ? "" : line.substr(at);
}

}  // namespace support
