#pragma once

// outbox: a durable event outbox for C++ servers on SQLite. This header is all that most apps
// include.
//
//     outbox::migrate(db);                                          // at start-up
//     outbox::Dispatcher dispatcher{"app.db", outbox::track_api({   // delivers from here on
//         .credentials = outbox::bearer_from_file("thrivestack.token"),
//     })};
//     outbox::enqueue(db, outbox::InviteSent{…});                   // in the app's own transaction
//
// Once the transaction has committed, its events are delivered at least once, or are dead and
// visible with their reason. See docs/guarantees.md.

#include "outbox/browse.hpp"
#include "outbox/connection.hpp"
#include "outbox/credentials.hpp"
#include "outbox/dispatcher.hpp"
#include "outbox/endpoint.hpp"
#include "outbox/enqueue.hpp"
#include "outbox/errors.hpp"
#include "outbox/events.hpp"
#include "outbox/inspect.hpp"
#include "outbox/metrics.hpp"
#include "outbox/migrate.hpp"
#include "outbox/observer.hpp"
#include "outbox/operate.hpp"
#include "outbox/sink.hpp"
#include "outbox/track_api.hpp"
#include "outbox/verdict.hpp"
#include "outbox/version.hpp"
#include "outbox/webhook.hpp"
