// outbox: inspect and operate the queue. Each command is a file of its own.

#include "command_line.hpp"

int main(int argc, char** argv) {
  return cli::run_command_line(argc, argv);
}
