-- Messages about meetings on their way out (RFC 5546). They are written with the change that they tell of, so that a change
-- that was acknowledged is never without them, and taken away when everybody has them or the mail queue does.
CREATE TABLE itip_message (
    itip_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Names it for ever: what is sent twice is one message.
    itip_key        uuid NOT NULL,
    tenant_id       bigint NOT NULL,
    -- Whose calendar it is from.
    mailbox_id      bigint NOT NULL,
    -- The account that made the change; 0 = none, it is automatic.
    actor_id        bigint NOT NULL,
    recipient       text NOT NULL,
    -- UID of the meeting.
    item_uid        text NOT NULL,
    -- With its METHOD.
    calendar        bytea NOT NULL,
    made_at         bigint NOT NULL,
    next_attempt_at bigint NOT NULL,
    leased_until    bigint NOT NULL DEFAULT 0,
    attempts        integer NOT NULL DEFAULT 0
);
CREATE INDEX itip_message_due ON itip_message (next_attempt_at);
-- One recipient hears of a meeting in order.
CREATE INDEX itip_message_lane ON itip_message (mailbox_id, item_uid, recipient, itip_id);

-- Where calendar clients see what came (RFC 6638 §2.2). New mailboxes are made with it.
INSERT INTO folder (mailbox_id, folder_id, parent_id, name, role, container_class, uid_validity, cn, highest_cn)
    SELECT f.mailbox_id, 26, f.parent_id, 'Scheduling Inbox', 26, 'IPF.SchedulingInbox', f.uid_validity, 1, 1
    FROM folder f WHERE f.folder_id = 3
    ON CONFLICT DO NOTHING;
