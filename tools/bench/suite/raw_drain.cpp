#include <curl/curl.h>

#include <chrono>
#include <stdexcept>
#include <vector>

#include "suite/raw.hpp"
#include "suite/raw_tables.hpp"

namespace bench::raw {

namespace {

struct CleanEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CleanMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t ignore_body(char*, std::size_t size, std::size_t count, void*) {
  return size * count;
}

struct Transfer {
  std::unique_ptr<CURL, CleanEasy> easy{curl_easy_init()};
  Batch batch = {};
};

class Loop {
 public:
  Loop(const std::string& path, const std::string& url, const DrainOptions& options)
      : batch_events_{options.batch_events}, db_{open(path)} {
    execute(db_, "pragma synchronous = normal");
    if (options.checkpoints == Checkpoints::none) execute(db_, "pragma wal_autocheckpoint = 0");
    tables_ = tables_of(options.tables, db_);
    curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
    headers_.reset(curl_slist_append(list, "Authorization: Bearer token"));
    for (std::size_t i = 0; i < options.connections; ++i) set_up(transfers_.emplace_back(), url);
    for (Transfer& transfer : transfers_) idle_.push_back(&transfer);
  }

  std::uint64_t run() {
    std::size_t under_way = send();
    while (under_way > 0) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      const std::size_t done = mark_finished();
      under_way -= done;
      if (done > 0) {
        under_way += send();
      } else {
        curl_multi_poll(multi_.get(), nullptr, 0, 1000, nullptr);
      }
    }
    return marked_;
  }

 private:
  void set_up(Transfer& transfer, const std::string& url) {
    CURL* const easy = transfer.easy.get();
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &ignore_body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
  }

  // Every idle handle gets a batch, while there is one. Returns how many were sent.
  std::size_t send() {
    std::size_t sent = 0;
    while (!idle_.empty() && take(*idle_.back())) {
      Transfer& transfer = *idle_.back();
      idle_.pop_back();
      transfer.batch.started = std::chrono::system_clock::now();
      CURL* const easy = transfer.easy.get();
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer.batch.body.data());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(transfer.batch.body.size()));
      curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<void*>(&transfer));
      curl_multi_add_handle(multi_.get(), easy);
      ++sent;
    }
    return sent;
  }

  bool take(Transfer& transfer) {
    tables_->take(transfer.batch, batch_events_);
    return !transfer.batch.ids.empty();
  }

  std::size_t mark_finished() {
    std::size_t finished = 0;
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      if (message->data.result != CURLE_OK) throw std::runtime_error{"raw: a request failed"};
      long status = 0;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
      if (status != 200) throw std::runtime_error{"raw: refused"};
      curl_multi_remove_handle(multi_.get(), easy);
      mark(transfer->batch);
      idle_.push_back(transfer);
      ++finished;
    }
    return finished;
  }

  void mark(const Batch& batch) {
    execute(db_, "begin immediate");
    tables_->mark(batch);
    execute(db_, "commit");
    marked_ += batch.ids.size();
  }

  std::size_t batch_events_;
  Database db_;
  std::unique_ptr<EventTables> tables_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURLM, CleanMulti> multi_{curl_multi_init()};
  std::vector<Transfer> transfers_;
  std::vector<Transfer*> idle_;
  std::uint64_t marked_ = 0;
};

}  // namespace

std::uint64_t drain(const std::string& path, const std::string& url, const DrainOptions& options) {
  return Loop{path, url, options}.run();
}

}  // namespace bench::raw
