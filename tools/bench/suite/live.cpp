#include "suite/live.hpp"

#include "liveness/measure.hpp"
#include "suite/receiver.hpp"

namespace bench {

void measure_marks(Size size) {
  const int seconds = size == Size::full ? 15 : 1;
  say("marks: beside a busy writer");
  const Receiver receiver;
  const liveness::MarksResult result =
      liveness::marks_beside_writer(receiver.url(), seconds, seconds * 60'000);
  print_ratio("busy writer, full", "commits/s", {result.beside, result.alone}, at_least(0.98));
  print_value("marks beside it", "events/s", result.marked, at_least(5'000));
}

void measure_waking(Size size) {
  say("waking: from the commit to the request");
  const liveness::WakingResult result = liveness::commits_to_requests(size == Size::full ? 200 : 5);
  const auto row = [&](const std::string& name, const std::vector<double>& took_ms, double p50_max,
                       double p99_max) {
    // The whole of the measured in one figure each, so that min and max say nothing new.
    print_value("commit to request, " + name + ", p50", "ms", {quantile(took_ms, 0.5)},
                below(p50_max), {quantile(result.bare_ms, 0.5)});
    print_value("commit to request, " + name + ", p99", "ms", {quantile(took_ms, 0.99)},
                below(p99_max), {quantile(result.bare_ms, 0.99)});
  };
  row("in process", result.notified_ms, 1, 5);
  row("without notify", result.unnotified_ms, 10, 50);
  row("another process", result.other_process_ms, 10, 50);
}

void measure_idle(Size size) {
  say("idle: CPU of a dispatcher with nothing to do");
  const liveness::IdleResult result = liveness::cpu_while_idle(size == Size::full ? 30 : 1);
  print_value("idle dispatcher", "% of a core", {result.idle_percent}, below(0.5));
  print_value("dispatcher with no answer yet", "% of a core", {result.waiting_percent}, below(0.5));
}

}  // namespace bench
