// Links outbox::kafka alone.

#include <iostream>
#include <outbox/kafka.hpp>
#include <outbox/sink.hpp>

int main() {
  const outbox::Endpoint endpoint = outbox::kafka({.brokers = "127.0.0.1:1"});
  std::cout << endpoint.sink().name() << "\n";
}
