-- Items that have a name of their own: appointments, tasks, contacts; and the collections that they are in.

-- What an item is called, beside its message row. A row says it of one version and never changes; whether that version is
-- still there, the folder's state says. It stays after its message as long as somebody may ask what went.
CREATE TABLE item (
    mailbox_id  bigint NOT NULL,
    folder_id   bigint NOT NULL,
    uid         bigint NOT NULL,
    -- The same for all versions.
    item_id     bigint NOT NULL,
    content_id  uuid NOT NULL,
    -- The last part of its path (RFC 4918), as its client chose it.
    name        text NOT NULL,
    -- UID of iCalendar or vCard.
    item_uid    text NOT NULL,
    -- Unix seconds between which all of its instances are; unset = nobody knows, or without end.
    starts_at   bigint,
    ends_at     bigint,
    -- The change that it went by, once that is folded.
    gone_cn     bigint,
    PRIMARY KEY (mailbox_id, folder_id, uid)
);
CREATE INDEX item_by_name ON item (mailbox_id, folder_id, name);
CREATE INDEX item_by_item_uid ON item (mailbox_id, folder_id, item_uid);
CREATE INDEX item_by_content ON item (mailbox_id, content_id);
CREATE INDEX item_gone ON item (mailbox_id, gone_cn) WHERE gone_cn IS NOT NULL;
-- Collections: the last part of their path where their client chose it, and properties that have no column (a bag, as
-- gateways write it).
ALTER TABLE folder ADD COLUMN slug text;
ALTER TABLE folder ADD COLUMN properties bytea;
CREATE UNIQUE INDEX folder_by_slug ON folder (mailbox_id, slug) WHERE slug IS NOT NULL AND deleted_at IS NULL;


-- Places copies of messages into a folder: parallel arrays in source UID order. Refused with KS002 over quota, KS003
-- without the folder. Between mailboxes the contents are copied too. Items keep their
-- names.
CREATE OR REPLACE FUNCTION place_copies(
    p_from bigint, p_mailbox bigint, p_folder bigint, p_content uuid[], p_flags bigint[], p_size bigint[],
    p_received bigint[], p_check_quota boolean,
    OUT r_validity bigint, OUT r_first_uid bigint, OUT r_cn bigint
) LANGUAGE plpgsql AS $$
DECLARE
    n bigint := cardinality(p_content);
    v_size bigint := (SELECT coalesce(sum(s), 0) FROM unnest(p_size) s);
    v_first_id bigint;
BEGIN
    UPDATE mailbox SET cn = cn + 1, next_id = next_id + n, used = used + v_size, messages = messages + n
        WHERE mailbox_id = p_mailbox AND deleted_at IS NULL
            AND (quota = 0 OR NOT p_check_quota OR used + v_size <= quota)
        RETURNING cn, next_id - n INTO r_cn, v_first_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'over quota' USING ERRCODE = 'KS002';
    END IF;
    UPDATE folder SET uid_next = uid_next + n, highest_cn = r_cn, total = total + n, size = size + v_size,
            unseen = unseen + (SELECT count(*) FROM unnest(p_flags) f WHERE f & 1 = 0),
            deleted = deleted + (SELECT count(*) FROM unnest(p_flags) f WHERE f & 8 <> 0)
        WHERE mailbox_id = p_mailbox AND folder_id = p_folder AND deleted_at IS NULL
        RETURNING uid_validity, uid_next - n INTO r_validity, r_first_uid;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no such folder' USING ERRCODE = 'KS003';
    END IF;
    INSERT INTO message (mailbox_id, folder_id, uid, message_id, content_id, flags, cn, state_cn, size, received_at)
        SELECT p_mailbox, p_folder, r_first_uid + o - 1, v_first_id + o - 1, c, f, r_cn, r_cn, s, d
        FROM unnest(p_content, p_flags, p_size, p_received) WITH ORDINALITY AS i(c, f, s, d, o);
    IF p_from <> p_mailbox THEN
        INSERT INTO content SELECT p_mailbox, content_id, thread_id, size, header_size, sent_at, importance,
                has_attachment, body_codec, class, subject, sender, display_to, internet_id, topic, preview, view,
                search_headers, blob_hash, header, body, search_body, properties
            FROM content WHERE mailbox_id = p_from AND content_id = ANY (p_content)
            ON CONFLICT DO NOTHING;
    END IF;
    INSERT INTO item (mailbox_id, folder_id, uid, item_id, content_id, name, item_uid, starts_at, ends_at)
        SELECT p_mailbox, p_folder, r_first_uid + o - 1, v_first_id + o - 1, c, i.name, i.item_uid, i.starts_at, i.ends_at
        FROM unnest(p_content) WITH ORDINALITY AS u(c, o) CROSS JOIN LATERAL (
            SELECT * FROM item WHERE mailbox_id = p_from AND content_id = c ORDER BY uid DESC LIMIT 1) i;
END $$;
