-- No code at all: a trigger on the app's own table enqueues, whoever inserts, and `outbox run` delivers.
create table if not exists signups (user_id text not null, plan text not null);

create trigger if not exists signups_to_outbox after insert on signups begin
  insert into outbox_events (payload, ordering_key) values (json_object(
    'event_name', 'signed_up',
    'user_id',    new.user_id,
    'timestamp',  strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
    'properties', json_object('plan', new.plan)), new.user_id);
end;
