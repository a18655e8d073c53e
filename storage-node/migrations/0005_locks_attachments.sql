-- Write locks of items and folders (RFC 4918 §6), and attachments of items that the store keeps (RFC 8607), for the
-- gateways that speak WebDAV.

CREATE TABLE write_lock (
    mailbox_id  bigint NOT NULL,
    token       uuid NOT NULL,
    folder_id   bigint NOT NULL,
    -- Of an item, whether it is there or not; empty = the folder.
    name        text NOT NULL,
    is_deep     boolean NOT NULL,
    is_shared   boolean NOT NULL,
    account_id  bigint NOT NULL,
    owner       bytea NOT NULL,
    -- Unix seconds.
    expires_at  bigint NOT NULL,
    PRIMARY KEY (mailbox_id, token)
);
CREATE INDEX write_lock_expires ON write_lock (expires_at);
-- When the last of a mailbox's locks expires: whoever has read the mailbox's row knows whether there is one to look for.
ALTER TABLE mailbox ADD COLUMN locked_until bigint NOT NULL DEFAULT 0;

-- A file that items name. It counts to the mailbox, and goes when no version of an item that is kept names it any more.
CREATE TABLE attachment (
    attachment_id uuid PRIMARY KEY,
    mailbox_id    bigint NOT NULL,
    name          text NOT NULL,
    content_type  text NOT NULL,
    size          bigint NOT NULL,
    blob_hash     bytea NOT NULL,
    made_at       bigint NOT NULL
);
CREATE INDEX attachment_by_mailbox ON attachment (mailbox_id);
CREATE INDEX attachment_blob ON attachment (blob_hash);
-- Which versions name it.
CREATE TABLE attachment_use (
    mailbox_id    bigint NOT NULL,
    content_id    uuid NOT NULL,
    attachment_id uuid NOT NULL,
    PRIMARY KEY (mailbox_id, content_id, attachment_id)
);
CREATE INDEX attachment_use_by_id ON attachment_use (attachment_id);

-- When the owner can be met at all: a calendar with VAVAILABILITY (RFC 7953).
ALTER TABLE mailbox ADD COLUMN availability text;
