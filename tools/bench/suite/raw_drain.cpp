#include <curl/curl.h>

#include <chrono>
#include <stdexcept>
#include <vector>

#include "suite/raw.hpp"

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
  std::vector<sqlite3_int64> ids = {};
  std::string body = {};
};

class Loop {
 public:
  Loop(const std::string& path, const std::string& url, std::size_t batch_events,
       std::size_t connections)
      : batch_events_{batch_events}, db_{open(path)} {
    execute(db_, "pragma synchronous = normal");
    select_ = prepare(db_,
                      "select id, payload from outbox_events where destination = 'track' and"
                      " state = 0 and due_at_ms = 0 and id > ?1 order by id limit ?2");
    mark_ = prepare(db_, "update outbox_events set state = 1, settled_at_ms = ?2 where id = ?1");
    curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
    headers_.reset(curl_slist_append(list, "Authorization: Bearer token"));
    for (std::size_t i = 0; i < connections; ++i) set_up(transfers_.emplace_back(), url);
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
      CURL* const easy = transfer.easy.get();
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer.body.data());
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(transfer.body.size()));
      curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<void*>(&transfer));
      curl_multi_add_handle(multi_.get(), easy);
      ++sent;
    }
    return sent;
  }

  bool take(Transfer& transfer) {
    transfer.ids.clear();
    transfer.body = "[";
    sqlite3_bind_int64(select_.get(), 1, last_id_);
    sqlite3_bind_int64(select_.get(), 2, static_cast<sqlite3_int64>(batch_events_));
    while (sqlite3_step(select_.get()) == SQLITE_ROW) {
      last_id_ = sqlite3_column_int64(select_.get(), 0);
      transfer.ids.push_back(last_id_);
      if (transfer.ids.size() > 1) transfer.body += ',';
      const auto* const text = sqlite3_column_text(select_.get(), 1);
      const int bytes = sqlite3_column_bytes(select_.get(), 1);
      transfer.body.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(bytes));
    }
    sqlite3_reset(select_.get());
    transfer.body += ']';
    return !transfer.ids.empty();
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
      mark(transfer->ids);
      idle_.push_back(transfer);
      ++finished;
    }
    return finished;
  }

  void mark(const std::vector<sqlite3_int64>& ids) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto now_ms = std::chrono::floor<std::chrono::milliseconds>(now).count();
    execute(db_, "begin immediate");
    for (const sqlite3_int64 id : ids) {
      sqlite3_bind_int64(mark_.get(), 1, id);
      sqlite3_bind_int64(mark_.get(), 2, now_ms);
      raw::run(mark_);
    }
    execute(db_, "commit");
    marked_ += ids.size();
  }

  std::size_t batch_events_;
  Database db_;
  Statement select_;
  Statement mark_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURLM, CleanMulti> multi_{curl_multi_init()};
  std::vector<Transfer> transfers_;
  std::vector<Transfer*> idle_;
  sqlite3_int64 last_id_ = 0;
  std::uint64_t marked_ = 0;
};

}  // namespace

std::uint64_t drain(const std::string& path, const std::string& url, std::size_t batch_events,
                    std::size_t connections) {
  return Loop{path, url, batch_events, connections}.run();
}

}  // namespace bench::raw
