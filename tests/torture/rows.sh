# shellcheck shell=bash
# The rows of the torture suite, in order of value; the three longest begin first. Read by tools/torture.sh.
#
#   row ID NAME QUICK FULL COMMAND…    COUNT in the command is QUICK or FULL; 0: not run at that size
#
# A command ends with a line `torture: count=… failures=… seed=… note=…` (tests/torture/common.py), or its
# count is read from what it prints (`told`). Exit code 77 is a row that could not run, with its reason.

py=(python3 -u)
host=tests/torture

row T-19  mutated_database_files       1000    200000   "${py[@]}" $host/hostile_files.py --count COUNT
row T-06  each_allocation_fails        0       1        tests/torture/told.sh allocations
row T-27  soak_minutes                 0       60       "${py[@]}" $host/soak.py --minutes COUNT
row T-01  kill_9_at_system_calls       300     10000    "${py[@]}" $host/kills.py kill --count COUNT
row T-03  io_error_in_recovery         100     2000     "${py[@]}" $host/kills.py recover --count COUNT
row T-02  each_file_system_call_fails  20      1        "$OUTBOX_BUILD/tests/io_faults" COUNT
row T-02b each_system_call_fails       12      all      "${py[@]}" $host/io_errors.py --count COUNT
row T-04a power_cuts_synchronous_full  50      1000     "$OUTBOX_BUILD/tests/power_cuts" COUNT 1 FULL
row T-04b power_cuts_normal            50      1000     "$OUTBOX_BUILD/tests/power_cuts" COUNT 1 NORMAL
row T-05  disk_full_and_free           10      500      "${py[@]}" $host/full_disk.py --count COUNT
row T-07  eight_processes_seconds      15      60       "${py[@]}" $host/crowd.py --seconds COUNT
row T-10  clock_jumps                  400     10000    "${py[@]}" $host/clocks.py --count COUNT
row T-11  http_cut_at_each_byte        400     all      "${py[@]}" $host/cuts.py --count COUNT
row T-12  status_matrix                500     7500     "${py[@]}" $host/statuses.py --count COUNT
row T-01r relay_kill_9                 100     10000    "${py[@]}" $host/kills.py kill --to nats --count COUNT
row T-11r relay_cut_at_each_byte       200     all      "${py[@]}" $host/nats_cuts.py --count COUNT
row T-20  forks                        1       1        tests/torture/told.sh tests "tests/dispatch/fork_test.cpp"
row T-21  lock_of_the_dispatcher       1       1        tests/torture/told.sh tests "tests/dispatch/lock_test.cpp"
row T-22  good_guest                   1       1        tests/torture/told.sh tests "tests/guarantees/good_guest_test.cpp,*/tests/guarantees/host_state_test.cpp,*/tests/guarantees/unfinished_statement_test.cpp"
row T-23  canaries                     1       1        tests/torture/told.sh tests "tests/guarantees/canary_test.cpp"
row T-24  tls_redirect_proxy           1       1        "${py[@]}" $host/tls.py
row T-08  simulated_steps              20000   1000000  tests/torture/told.sh lives COUNT
row T-13  bad_events_among_128         0       108256   tests/torture/told.sh isolation
row T-14  days_of_503                  1       7        tests/torture/told.sh outage COUNT
row T-15  stops                        500     10000    tests/torture/told.sh stops COUNT
row T-16  thread_sanitizer             0       1        tests/torture/told.sh sanitizer tsan
row T-17  address_sanitizer            0       1        tests/torture/told.sh sanitizer asan
row T-18a cli_input                    100000  1000000  tests/torture/told.sh cli_fuzz COUNT
row T-25  second_sqlite                0       1        "${py[@]}" $host/second_sqlite.py
row T-26a coverage                     0       1        tests/torture/coverage.sh
row T-26b changes_of_the_core          0       300      "${py[@]}" $host/mutate.py --count COUNT --minutes 45
row T-18b parsers                      0       1000000  tests/torture/fuzz.sh COUNT
