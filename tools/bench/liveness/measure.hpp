#pragma once

// The measurements of the program `liveness`. Those called `measure_…` print their figures; the
// others return them, for `bench`.

#include <cstddef>
#include <string>
#include <vector>

namespace liveness {

/// `kill -9` of the dispatcher that delivers, among several processes, `times` times: until another
/// one has delivered the next event.
void measure_takeover(std::size_t times);
/// Each in milliseconds from a commit to the request, in order of measurement.
struct WakingResult {
  std::vector<double> bare_ms = {};        ///< A byte over a socket after the commit, beside it.
  std::vector<double> notified_ms = {};    ///< Committed in process, then `notify`.
  std::vector<double> unnotified_ms = {};  ///< Committed in process, on another connection.
  std::vector<double> other_process_ms = {};
};
/// The program must take `committer --db PATH` and call `play_committer`.
WakingResult commits_to_requests(std::size_t times);
/// From the commit to the request, with an idle queue: in process with `notify`, without it, and
/// committed by another process. Beside it a bare socket write after the commit.
void measure_waking(std::size_t times);
/// CPU time in percent of a core.
struct IdleResult {
  double idle_percent = 0;     ///< With nothing to do.
  double waiting_percent = 0;  ///< With a request under way that is not answered.
};
/// Looks for `seconds` at each, after 3 s in which the traffic is forgotten.
IdleResult cpu_while_idle(int seconds);
/// CPU time of an idle dispatcher.
void measure_idle(int seconds);
/// Random stops.
void measure_stops(std::size_t count);
/// A figure for each second.
struct MarksResult {
  std::vector<double> alone = {};   ///< Commits a second of the writer alone.
  std::vector<double> beside = {};  ///< The same beside a dispatcher at work.
  std::vector<double> marked = {};  ///< Events a second that were marked meanwhile.
};
/// `seconds` each, in turn, delivering to `url`; stops short when the `events` are used up.
MarksResult marks_beside_writer(const std::string& url, int seconds, int events);
/// Marks beside a writer that commits as fast as it can, and that writer alone.
void measure_marks(int seconds);
/// A host that commits each millisecond, alone and beside a dispatcher, `length_s` seconds each.
/// False: a transaction of it failed, or an event was not delivered within 30 s.
bool measure_host(int length_s);

// The parts that other processes play.

/// A dispatcher until it is killed. With a fork, a plain child lives on after it.
void play_holder(const std::string& db, const std::string& url, bool forks);
/// Ends by `std::exit` with code 3 while a static dispatcher is at work.
void play_exiter(const std::string& db, const std::string& url);
/// Commits an event for each byte on stdin, until that ends, and tells when on stdout.
void play_committer(const std::string& db);

}  // namespace liveness
