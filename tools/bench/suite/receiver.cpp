#include "suite/receiver.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <stdexcept>
#include <thread>

#include "suite/process.hpp"
#include "suite/receiver_loop.hpp"

extern char** environ;

namespace bench {

namespace {

constexpr int counts_descriptor = 3;

ReceiverCounts* map_counts(int descriptor) {
  void* const memory =
      mmap(nullptr, sizeof(ReceiverCounts), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) throw std::runtime_error{"no shared memory"};
  return static_cast<ReceiverCounts*>(memory);
}

pid_t start_receiver(int descriptor) {
  std::string path = own_path();
  std::string word = "receiver";
  char* const argv[] = {path.data(), word.data(), nullptr};
  posix_spawn_file_actions_t inherit;
  posix_spawn_file_actions_init(&inherit);
  posix_spawn_file_actions_adddup2(&inherit, descriptor, counts_descriptor);
  pid_t pid = -1;
  const int failure = posix_spawn(&pid, path.c_str(), &inherit, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&inherit);
  if (failure != 0) throw std::runtime_error{"cannot start the receiver"};
  return pid;
}

}  // namespace

Receiver::Receiver() {
  const int descriptor = memfd_create("receiver", MFD_CLOEXEC);
  if (descriptor < 0 || ftruncate(descriptor, sizeof(ReceiverCounts)) != 0) {
    throw std::runtime_error{"no shared memory"};
  }
  counts_ = new (map_counts(descriptor)) ReceiverCounts{};
  pid_ = start_receiver(descriptor);
  close(descriptor);
  for (int tries = 0; counts_->port.load() == 0; ++tries) {
    if (tries > 5'000) throw std::runtime_error{"the receiver does not listen"};
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
}

Receiver::~Receiver() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  munmap(counts_, sizeof(ReceiverCounts));
}

std::string Receiver::url() const {
  return "http://127.0.0.1:" + std::to_string(counts_->port.load()) + "/api/track";
}

void Receiver::set_latency(std::chrono::microseconds latency) {
  counts_->latency_us.store(latency.count());
}

std::uint64_t Receiver::events() const {
  return counts_->events.load();
}

std::uint64_t Receiver::requests() const {
  return counts_->requests.load();
}

void play_receiver() {
  end_with_parent();
  serve(*map_counts(counts_descriptor));
}

}  // namespace bench
