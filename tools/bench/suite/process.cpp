#include "suite/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>

#include "suite/table.hpp"

extern char** environ;

namespace bench {

namespace {

volatile sig_atomic_t worker_pid = 0;

void pass_on(int signal) {
  if (worker_pid > 0) kill(static_cast<pid_t>(worker_pid), signal);
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_for(pid_t pid, rusage& used) {
  int status = 0;
  while (wait4(pid, &status, 0, &used) < 0) {
    if (errno != EINTR) throw std::runtime_error{"a child is lost"};
  }
  return exit_code_of(status);
}

[[noreturn]] void work_in_child(const std::function<int()>& work) {
  end_with_parent();
  int code = 1;
  try {
    code = work();
  } catch (const std::exception& error) {
    std::cerr << "bench: " << error.what() << std::endl;
  }
  std::cout.flush();
  _exit(code);  // what the parent has is the parent's to clean up
}

}  // namespace

int with_scratch_folder(const std::function<int()>& work) {
  std::string folder = (std::filesystem::temp_directory_path() / "outbox-bench-XXXXXX").native();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error{"no temporary folder"};
  setenv("TMPDIR", folder.c_str(), 1);
  for (const int ending : {SIGINT, SIGTERM, SIGHUP}) signal(ending, pass_on);
  const pid_t worker = fork();
  if (worker == 0) {
    for (const int ending : {SIGINT, SIGTERM, SIGHUP}) signal(ending, SIG_DFL);
    work_in_child(work);
  }
  worker_pid = worker;
  rusage used{};
  const int code = worker > 0 ? wait_for(worker, used) : 1;
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return code;
}

void in_child(const std::function<void()>& work) {
  std::cout.flush();
  const pid_t child = fork();
  if (child == 0) {
    work_in_child([&] {
      work();
      return 0;
    });
  }
  rusage used{};
  if (child < 0 || wait_for(child, used) != 0) throw std::runtime_error{"a child failed"};
}

ProcessRun run_process(const std::vector<std::string>& arguments) {
  std::vector<std::string> copies = arguments;
  std::vector<char*> argv;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quietly;
  posix_spawn_file_actions_init(&quietly);
  posix_spawn_file_actions_addopen(&quietly, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&quietly, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const auto begin = Clock::now();
  const int failure = posix_spawn(&pid, argv[0], &quietly, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&quietly);
  if (failure != 0) throw std::runtime_error{"cannot start " + arguments.front()};
  rusage used{};
  const int code = wait_for(pid, used);
  return {.seconds = seconds_since(begin),
          .peak_mb = static_cast<double>(used.ru_maxrss) * 1024 / 1e6,  // Linux counts in KiB
          .exit_code = code};
}

std::string own_path() {
  return std::filesystem::read_symlink("/proc/self/exe").native();
}

void end_with_parent() {
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (parent == 1) _exit(1);  // it was gone before
}

}  // namespace bench
