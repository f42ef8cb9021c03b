#pragma once

// The measurements of the program `liveness`. Each prints its figures.

#include <cstddef>
#include <string>

namespace liveness {

/// `kill -9` of the dispatcher that delivers, among several processes, `times` times: until another
/// one has delivered the next event.
void measure_takeover(std::size_t times);
/// From the commit to the request, with an idle queue: in process with `notify`, without it, and
/// committed by another process. Beside it a bare socket write after the commit.
void measure_waking(std::size_t times);
/// CPU time of an idle dispatcher.
void measure_idle(int seconds);
/// Random stops.
void measure_stops(std::size_t count);
/// Marks beside a writer that commits as fast as it can, and that writer alone.
void measure_marks(int seconds);

// The parts that other processes play.

/// A dispatcher until it is killed. With a fork, a plain child lives on after it.
void play_holder(const std::string& db, const std::string& url, bool forks);
/// Ends by `std::exit` with code 3 while a static dispatcher is at work.
void play_exiter(const std::string& db, const std::string& url);
/// Commits an event for each byte on stdin, until that ends, and tells when on stdout.
void play_committer(const std::string& db);

}  // namespace liveness
