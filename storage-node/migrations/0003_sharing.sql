-- Sharing: whose times a calendar says, and how guests see what is shared with them.

-- Does not make its owner busy (CALDAV:schedule-calendar-transp).
ALTER TABLE folder ADD COLUMN transparent boolean NOT NULL DEFAULT false;
-- In which floating times and dates of its items are: a name, or an iCalendar object with a VTIMEZONE; unset = UTC.
ALTER TABLE folder ADD COLUMN time_zone text;

-- What a guest has said of a folder of somebody else, for their own eyes.
CREATE TABLE guest_folder (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    mailbox_id  bigint NOT NULL,
    folder_id   bigint NOT NULL,
    -- Not among what is shared with them.
    hidden      boolean NOT NULL DEFAULT false,
    -- In the place of those of the folder (a bag, as gateways write it).
    properties  bytea,
    PRIMARY KEY (account_id, mailbox_id, folder_id)
);
CREATE INDEX guest_folder_by_folder ON guest_folder (mailbox_id, folder_id);

-- Who may act for the owner in all calendars, those of later too (Apple's calendar-proxy).
CREATE TABLE calendar_proxy (
    mailbox_id      bigint NOT NULL,
    -- 2 account, 3 group.
    principal_kind  smallint NOT NULL,
    principal_id    bigint NOT NULL,
    writes          boolean NOT NULL,
    PRIMARY KEY (mailbox_id, principal_kind, principal_id)
);
CREATE INDEX calendar_proxy_by_principal ON calendar_proxy (principal_kind, principal_id);
