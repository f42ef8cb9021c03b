#include <memory>
#include <outbox/dispatcher.hpp>
#include <outbox/webhook.hpp>
#include <string>

// Sends the events of the destination "orders" to a webhook, until the result is destroyed.
inline std::unique_ptr<outbox::Dispatcher> relay_to_webhook(const std::string& database,
                                                            const std::string& url,
                                                            const std::string& key_file) {
  return std::make_unique<outbox::Dispatcher>(
      outbox::DatabaseFile{database},
      outbox::webhook({.url = url,
                       .format = outbox::WebhookFormat::cloudevents_binary,
                       .source = "/shop",
                       .signing_key = outbox::from_file(key_file)}),
      outbox::DispatcherOptions{.destination = "orders", .connections = 8});
}
