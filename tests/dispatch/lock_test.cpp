#include "dispatch/lock.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "support/database.hpp"

using outbox::core::Instant;
using outbox::dispatch::active_dispatcher;
using outbox::dispatch::Lock;

namespace {

constexpr Instant now{std::chrono::milliseconds{1'800'000'000'000}};

struct Place {
  Place() { std::ofstream{path} << "x"; }
  support::TemporaryFolder folder;
  std::string path = folder.file("app.db");
  std::string lock_file = path + "-outbox-track.lock";
};

}  // namespace

TEST_CASE("who looks learns why the database cannot be used, until it can again") {
  Place place;
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  const auto trouble = [&place] {
    return active_dispatcher(place.path, "track")->database_trouble;
  };
  CHECK(trouble().empty());
  lock.tell_trouble("disk full\nsecond line", {});
  CHECK(trouble() == "disk full");
  CHECK_FALSE(active_dispatcher(place.path, "track")->in_flight_since);
  REQUIRE(lock.keep(now));
  CHECK(active_dispatcher(place.path, "track")->in_flight_since == now);
  CHECK(trouble() == "disk full");
  lock.tell_trouble("", now);
  CHECK(trouble().empty());
  CHECK(active_dispatcher(place.path, "track")->in_flight_since == now);
  lock.tell_trouble("disk full", now + std::chrono::seconds{1});
  CHECK(active_dispatcher(place.path, "track")->in_flight_since == now + std::chrono::seconds{1});
}

TEST_CASE("of two dispatchers of a destination one is elected, and the other when that one goes") {
  Place place;
  Lock first{place.path, "track"};
  Lock second{place.path, "track"};
  CHECK(first.try_acquire(now));
  CHECK_FALSE(second.try_acquire(now));
  CHECK(first.keep({}));
  first.release();
  CHECK(second.try_acquire(now));
}

TEST_CASE("each destination has a lock of its own") {
  Place place;
  Lock track{place.path, "track"};
  Lock other{place.path, "other"};
  CHECK(track.try_acquire(now));
  CHECK(other.try_acquire(now));
}

TEST_CASE("people can see who holds the lock, and that nobody does") {
  Place place;
  CHECK_FALSE(active_dispatcher(place.path, "track"));
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  const auto seen = active_dispatcher(place.path, "track");
  REQUIRE(seen);
  CHECK(seen->pid == getpid());
  CHECK(seen->since == now);
  CHECK_FALSE(seen->host.empty());
  lock.release();
  CHECK_FALSE(active_dispatcher(place.path, "track"));
  CHECK_FALSE(active_dispatcher("", "track"));
}

TEST_CASE("a holder whose file was removed gives up, since another may have been elected") {
  Place place;
  Lock first{place.path, "track"};
  REQUIRE(first.try_acquire(now));
  std::filesystem::remove(place.lock_file);
  Lock second{place.path, "track"};
  CHECK(second.try_acquire(now));
  CHECK_FALSE(first.keep({}));
  CHECK_FALSE(first.is_held());
  CHECK(second.keep({}));
}

TEST_CASE("the lock of a process dies with it") {
  Place place;
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto* const lock = new Lock{place.path, "track"};  // never destroyed, as in a crash
    _exit(lock->try_acquire(now) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(status == 0);
  Lock lock{place.path, "track"};
  CHECK(lock.try_acquire(now));
}

TEST_CASE("only the owner may open the lock file: who has it open can hold the lock") {
  const Place place;
  REQUIRE(chmod(place.path.c_str(), 0664) == 0);
  std::ofstream{place.lock_file} << "from an earlier version";
  REQUIRE(chmod(place.lock_file.c_str(), 0664) == 0);
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  struct stat facts {};
  REQUIRE(stat(place.lock_file.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777U) == 0600U);
}

namespace {

// What `check` says in a process of another user; -1 where nobody can become one.
template <class Check>
int as_another_user(const Place& place, Check check) {
  if (geteuid() != 0) return -1;
  REQUIRE(chmod(place.folder.path().c_str(), 0777) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(setuid(12'345) == 0 ? check() : 99);
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

}  // namespace

TEST_CASE(
    "another user than the database's is refused, and leaves no file that keeps the owner out") {
  const Place place;
  const int found = as_another_user(place, [&] {
    try {
      Lock{place.path, "track"}.try_acquire(now);
    } catch (const std::runtime_error& error) {
      return std::string{error.what()}.find("the database belongs to uid 0") != std::string::npos
                 ? 1
                 : 2;
    }
    return 3;
  });
  if (found == -1) return;
  CHECK(found == 1);
  CHECK_FALSE(std::filesystem::exists(place.lock_file));
  Lock lock{place.path, "track"};
  CHECK(lock.try_acquire(now));
}

TEST_CASE("who may not open the lock file sees by its heartbeat that somebody delivers") {
  const Place place;
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  REQUIRE(lock.keep({}));
  const auto seen = [&] {
    const auto dispatcher = active_dispatcher(place.path, "track");
    if (!dispatcher) return 1;
    return dispatcher->pid == 0 &&
                   dispatcher->last_round > outbox::core::system_now() - std::chrono::minutes{1}
               ? 2
               : 3;
  };
  const int found = as_another_user(place, seen);
  if (found == -1) return;
  CHECK(found == 2);
  CHECK(as_another_user(place, [&] {
          try {
            outbox::dispatch::known_dispatcher(place.path, "track");
          } catch (const std::runtime_error&) {
            return 1;
          }
          return 2;
        }) == 1);
  const auto old = std::filesystem::file_time_type::clock::now() - std::chrono::seconds{11};
  std::filesystem::last_write_time(place.lock_file, old);
  CHECK(as_another_user(place, seen) == 1);
}

TEST_CASE("what stands in the place of the lock file and is none is refused at once") {
  const Place place;
  const std::string other = place.folder.file("other");
  std::ofstream{other} << "precious";
  const char* problem = "";
  SUBCASE("a pipe, which would keep who opens it waiting") {
    REQUIRE(mkfifo(place.lock_file.c_str(), 0600) == 0);
    problem = "is no plain file";
  }
  SUBCASE("a link to another file, which would be overwritten") {
    REQUIRE(symlink(other.c_str(), place.lock_file.c_str()) == 0);
    problem = "cannot open";
  }
  SUBCASE("another file's second name") {
    REQUIRE(link(other.c_str(), place.lock_file.c_str()) == 0);
    problem = "has another name";
  }
  SUBCASE("a folder") {
    REQUIRE(mkdir(place.lock_file.c_str(), 0700) == 0);
    problem = "cannot open";
  }
  SUBCASE("another user's file") {
    if (geteuid() != 0) return;  // nobody else can give a file away
    std::ofstream{place.lock_file} << "mine";
    REQUIRE(chown(place.lock_file.c_str(), 12'345, 12'345) == 0);
    problem = "belongs to another user";
  }
  CHECK_FALSE(active_dispatcher(place.path, "track"));
  CHECK_THROWS_WITH_AS(outbox::dispatch::known_dispatcher(place.path, "track"),
                       doctest::Contains("nobody can say what is under way"), std::runtime_error);
  Lock lock{place.path, "track"};
  std::string message;
  try {
    lock.try_acquire(now);
  } catch (const std::runtime_error& error) {
    message = error.what();
  }
  CAPTURE(message);
  CHECK(message.find(problem) != std::string::npos);
  std::string kept;
  std::ifstream{other} >> kept;
  CHECK(kept == "precious");
}

TEST_CASE("where the lock file does not say what is under way, something may be") {
  const Place place;
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  CHECK_FALSE(active_dispatcher(place.path, "track")->in_flight_since);
  std::filesystem::resize_file(place.lock_file, 0);  // as on a full disk
  CHECK(active_dispatcher(place.path, "track")->in_flight_since == outbox::core::Instant{});
}

TEST_CASE("a lock file that root makes is given to the owner of the database") {
  if (geteuid() != 0) return;
  const Place place;
  REQUIRE(chown(place.path.c_str(), 12'345, 12'345) == 0);
  Lock lock{place.path, "track"};
  REQUIRE(lock.try_acquire(now));
  struct stat facts {};
  REQUIRE(stat(place.lock_file.c_str(), &facts) == 0);
  CHECK(facts.st_uid == 12'345);
}
