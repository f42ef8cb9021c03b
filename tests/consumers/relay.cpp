// A program outside of the project that relays: it connects to nobody, and says so.

#include <cstdio>
#include <outbox/nats.hpp>

int main() {
  const outbox::Endpoint relay = outbox::nats_jetstream({.url = "nats://127.0.0.1:1"});
  const std::string problem =
      outbox::connection_problem(outbox::NatsOptions{.url = "nats://127.0.0.1:1"});
  std::printf("%s\n", problem.c_str());
  return problem.empty() ? 1 : 0;
}
