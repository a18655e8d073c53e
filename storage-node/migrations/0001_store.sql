-- The first schema of the store. Forward only: never edit, add the next file.
--
-- Every mailbox-scoped table has mailbox_id first in its key, and nothing refers across mailboxes, so that the
-- same schema can be partitioned or distributed by that column. A writer locks its mailbox row first.

-- Directory ---------------------------------------------------------------------------------------------------

CREATE TABLE server_key (
    id          integer PRIMARY KEY,
    key         bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenant (
    tenant_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    display_name  text NOT NULL DEFAULT '',
    quota         bigint NOT NULL DEFAULT 0,
    max_mailboxes bigint NOT NULL DEFAULT 0,
    max_domains   bigint NOT NULL DEFAULT 0,
    max_groups    bigint NOT NULL DEFAULT 0,
    suspended     boolean NOT NULL DEFAULT false,
    owner         text NOT NULL DEFAULT '',
    generation    bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now()
);
-- An owner declares one object of a kind; it is what the object is known by when its address changes.
CREATE UNIQUE INDEX tenant_by_owner ON tenant (owner) WHERE owner <> '';

CREATE TABLE domain (
    name        text PRIMARY KEY,
    tenant_id   bigint NOT NULL REFERENCES tenant,
    alias_of    text NOT NULL DEFAULT '',
    catch_all   text NOT NULL DEFAULT '',
    owner       text NOT NULL DEFAULT '',
    generation  bigint NOT NULL DEFAULT 0
);
CREATE INDEX domain_by_tenant ON domain (tenant_id, name);
CREATE UNIQUE INDEX domain_by_owner ON domain (owner) WHERE owner <> '';

CREATE TABLE account (
    account_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id        bigint NOT NULL REFERENCES tenant,
    mailbox_id       bigint NOT NULL UNIQUE,
    address          text NOT NULL UNIQUE,
    display_name     text NOT NULL DEFAULT '',
    kind             text NOT NULL DEFAULT 'user',
    role             text NOT NULL DEFAULT 'user',
    -- argon2id, PHC string; empty = cannot log in with a password.
    password_hash    text NOT NULL DEFAULT '',
    -- Which edition of its owner's secret that is.
    password_version text NOT NULL DEFAULT '',
    -- Moves when sessions must end: password changed, locked.
    auth_epoch       bigint NOT NULL DEFAULT 1,
    locked           boolean NOT NULL DEFAULT false,
    forward_to       text[] NOT NULL DEFAULT '{}',
    forward_only     boolean NOT NULL DEFAULT false,
    hidden           boolean NOT NULL DEFAULT false,
    send_as          text[] NOT NULL DEFAULT '{}',
    disabled_services text[] NOT NULL DEFAULT '{}',
    owner            text NOT NULL DEFAULT '',
    generation       bigint NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_by_tenant ON account (tenant_id, address);
CREATE UNIQUE INDEX account_by_owner ON account (owner) WHERE owner <> '';
CREATE INDEX account_by_delegate ON account USING gin (send_as) WHERE send_as <> '{}';

CREATE TABLE mail_group (
    group_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     bigint NOT NULL REFERENCES tenant,
    address       text NOT NULL UNIQUE,
    display_name  text NOT NULL DEFAULT '',
    members       text[] NOT NULL DEFAULT '{}',
    senders       text NOT NULL DEFAULT 'anyone',
    hidden        boolean NOT NULL DEFAULT false,
    owner         text NOT NULL DEFAULT '',
    generation    bigint NOT NULL DEFAULT 0
);
CREATE INDEX mail_group_by_tenant ON mail_group (tenant_id, address);
CREATE UNIQUE INDEX mail_group_by_owner ON mail_group (owner) WHERE owner <> '';
CREATE INDEX mail_group_by_member ON mail_group USING gin (members);

-- Every address that receives: primary addresses, aliases, groups. One name, one owner.
CREATE TABLE address (
    address     text PRIMARY KEY,
    tenant_id   bigint NOT NULL REFERENCES tenant,
    account_id  bigint REFERENCES account ON DELETE CASCADE,
    group_id    bigint REFERENCES mail_group ON DELETE CASCADE,
    CHECK ((account_id IS NULL) <> (group_id IS NULL))
);
CREATE INDEX address_by_account ON address (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX address_by_group ON address (group_id) WHERE group_id IS NOT NULL;

CREATE TABLE app_password (
    app_password_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id      bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    label           text NOT NULL,
    -- BLAKE3 of the secret, which is 160 random bits: no slow hash is needed.
    secret_hash     bytea NOT NULL,
    services        text[] NOT NULL DEFAULT '{}',
    created_at      bigint NOT NULL,
    expires_at      bigint NOT NULL DEFAULT 0,
    last_used_at    bigint NOT NULL DEFAULT 0
);
CREATE INDEX app_password_by_account ON app_password (account_id);

CREATE TABLE audit (
    audit_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    actor     text NOT NULL,
    action    text NOT NULL,
    object    text NOT NULL,
    detail    text NOT NULL DEFAULT ''
);

-- Mailboxes ---------------------------------------------------------------------------------------------------

CREATE SEQUENCE mailbox_id;

CREATE TABLE mailbox (
    mailbox_id      bigint PRIMARY KEY,
    tenant_id       bigint NOT NULL,
    store_guid      uuid NOT NULL,
    replica_guid    uuid NOT NULL,
    -- The one clock: the last change number given.
    cn              bigint NOT NULL DEFAULT 1,
    -- The last change of the folder tree: made, renamed, moved, deleted.
    hierarchy_cn    bigint NOT NULL DEFAULT 1,
    -- The next object id; ids below 256 are the well-known folders, by role.
    next_id         bigint NOT NULL DEFAULT 256,
    used            bigint NOT NULL DEFAULT 0,
    messages        bigint NOT NULL DEFAULT 0,
    quota           bigint NOT NULL DEFAULT 0,
    quota_is_final  boolean NOT NULL DEFAULT false,
    keywords        text[] NOT NULL DEFAULT '{}',
    -- Log rows up to here are gone; an older cursor starts over.
    log_horizon     bigint NOT NULL DEFAULT 0,
    -- The account is deleted; the content stays until the retention ends.
    deleted_at      bigint
) WITH (fillfactor = 50);

CREATE TABLE folder (
    mailbox_id      bigint NOT NULL,
    folder_id       bigint NOT NULL,
    parent_id       bigint NOT NULL,
    name            text NOT NULL,
    role            smallint NOT NULL DEFAULT 0,
    container_class text NOT NULL DEFAULT 'IPF.Note',
    uid_validity    bigint NOT NULL,
    uid_next        bigint NOT NULL DEFAULT 1,
    -- Its own properties.
    cn              bigint NOT NULL,
    -- Anything in it.
    highest_cn      bigint NOT NULL,
    -- The state in message rows holds every change of the log up to here; later ones must be replayed.
    folded_cn       bigint NOT NULL DEFAULT 0,
    total           bigint NOT NULL DEFAULT 0,
    unseen          bigint NOT NULL DEFAULT 0,
    deleted         bigint NOT NULL DEFAULT 0,
    size            bigint NOT NULL DEFAULT 0,
    subscribed      boolean NOT NULL DEFAULT true,
    deleted_at      bigint,
    PRIMARY KEY (mailbox_id, folder_id)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX folder_by_name ON folder (mailbox_id, parent_id, name) WHERE deleted_at IS NULL;

CREATE TABLE folder_permission (
    mailbox_id      bigint NOT NULL,
    folder_id       bigint NOT NULL,
    -- 0 default, 1 anonymous, 2 account, 3 group.
    principal_kind  smallint NOT NULL,
    principal_id    bigint NOT NULL,
    rights          integer NOT NULL,
    PRIMARY KEY (mailbox_id, folder_id, principal_kind, principal_id)
);
CREATE INDEX folder_permission_by_principal ON folder_permission (principal_kind, principal_id, mailbox_id);

-- Where a message stands: narrow, and no index on what changes. `flags`, `state_cn` and `deleted_at` trail the change
-- log; each row holds every change up to its own state_cn, so that replaying the log over it is idempotent.
CREATE TABLE message (
    mailbox_id   bigint NOT NULL,
    folder_id    bigint NOT NULL,
    uid          bigint NOT NULL,
    message_id   bigint NOT NULL,
    content_id   uuid NOT NULL,
    flags        bigint NOT NULL,
    cn           bigint NOT NULL,
    state_cn     bigint NOT NULL,
    size         bigint NOT NULL,
    received_at  bigint NOT NULL,
    -- Soft-deleted: in Recoverable Items until the retention ends.
    deleted_at   bigint,
    PRIMARY KEY (mailbox_id, folder_id, uid)
) WITH (fillfactor = 65);
CREATE UNIQUE INDEX message_by_id ON message (mailbox_id, message_id);
CREATE INDEX message_deleted ON message (mailbox_id, deleted_at) WHERE deleted_at IS NOT NULL;

-- What a message says: wide and immutable; copies and moves within a mailbox share it.
CREATE TABLE content (
    mailbox_id      bigint NOT NULL,
    content_id      uuid NOT NULL,
    thread_id       uuid NOT NULL,
    size            bigint NOT NULL,
    header_size     bigint NOT NULL,
    sent_at         bigint,
    importance      smallint NOT NULL DEFAULT 1,
    has_attachment  boolean NOT NULL DEFAULT false,
    -- 0 body as it is, 1 zstd, 2 in the blob store.
    body_codec      smallint NOT NULL,
    class           text NOT NULL,
    subject         text NOT NULL,
    sender          text NOT NULL,
    display_to      text NOT NULL,
    internet_id     text NOT NULL,
    topic           text NOT NULL,
    preview         text NOT NULL,
    view            bytea NOT NULL,
    search_headers  text NOT NULL,
    blob_hash       bytea,
    -- The raw header block, only beside a body in the blob store.
    header          bytea,
    body            bytea,
    search_body     text NOT NULL,
    -- Property bag of what has no column.
    properties      bytea,
    PRIMARY KEY (mailbox_id, content_id)
-- Two rows to a page: the body of an ordinary mail, compressed, stays in its row, and is read and written without a
-- second look-up. The search text, which is larger, goes aside.
) WITH (toast_tuple_target = 4060);
-- Bodies are compressed before they come here.
ALTER TABLE content ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE content ALTER COLUMN view SET STORAGE EXTERNAL;
ALTER TABLE content ALTER COLUMN header SET STORAGE EXTERNAL;
DO $$
DECLARE
    v_column text;
BEGIN
    FOREACH v_column IN ARRAY ARRAY['search_body', 'search_headers', 'preview', 'display_to', 'subject', 'topic',
            'sender', 'internet_id', 'class'] LOOP
        EXECUTE format('ALTER TABLE content ALTER COLUMN %I SET COMPRESSION lz4', v_column);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'this PostgreSQL has no lz4; search text is compressed with pglz';
END $$;
CREATE INDEX content_blob ON content (mailbox_id, blob_hash) WHERE blob_hash IS NOT NULL;

-- One row per write that is not a new message; new messages are found by their UID.
CREATE TABLE change_log (
    mailbox_id  bigint NOT NULL,
    folder_id   bigint NOT NULL,
    cn          bigint NOT NULL,
    -- 1 flags, 2 gone, 3 content, 4 folder gone (folder_id 0: payload names it).
    kind        smallint NOT NULL,
    payload     bytea NOT NULL,
    at          bigint NOT NULL,
    PRIMARY KEY (mailbox_id, folder_id, cn)
);

CREATE TABLE blob (
    tenant_id  bigint NOT NULL,
    hash       bytea NOT NULL,
    size       bigint NOT NULL,
    last_put   bigint NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);

-- What a device, subscription or client is to be remembered by: compare and set, expiring.
CREATE TABLE client_state (
    mailbox_id  bigint NOT NULL,
    scope       text NOT NULL,
    key         text NOT NULL,
    version     bigint NOT NULL,
    value       bytea NOT NULL,
    expires_at  bigint NOT NULL,
    PRIMARY KEY (mailbox_id, scope, key)
);

-- The mail queue ----------------------------------------------------------------------------------------------

CREATE TABLE queue_message (
    queue_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_key        uuid NOT NULL UNIQUE,
    tenant_id        bigint NOT NULL,
    sender           text NOT NULL,
    ret              text NOT NULL DEFAULT '',
    envid            text NOT NULL DEFAULT '',
    eight_bit        boolean NOT NULL DEFAULT false,
    smtp_utf8        boolean NOT NULL DEFAULT false,
    require_tls      boolean NOT NULL DEFAULT false,
    size             bigint NOT NULL,
    body_codec       smallint NOT NULL,
    body             bytea,
    blob_hash        bytea,
    queued_at        bigint NOT NULL,
    expires_at       bigint NOT NULL,
    -- The earliest of its pending recipients.
    next_attempt_at  bigint NOT NULL,
    held             boolean NOT NULL DEFAULT false,
    lease            bigint NOT NULL DEFAULT 0,
    leased_until     bigint NOT NULL DEFAULT 0,
    runner           text NOT NULL DEFAULT ''
);
ALTER TABLE queue_message ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX queue_message_due ON queue_message (next_attempt_at) WHERE NOT held;

CREATE TABLE queue_recipient (
    queue_id         bigint NOT NULL REFERENCES queue_message ON DELETE CASCADE,
    position         integer NOT NULL,
    address          text NOT NULL,
    notify           text NOT NULL DEFAULT '',
    orcpt            text NOT NULL DEFAULT '',
    -- 1 pending, 2 delivered, 3 failed.
    state            smallint NOT NULL DEFAULT 1,
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  bigint NOT NULL,
    reason           text NOT NULL DEFAULT '',
    PRIMARY KEY (queue_id, position)
);

-- Writes ------------------------------------------------------------------------------------------------------

-- Makes a mailbox with its well-known folders. `roles`, `parents`, `names`, `classes` are parallel.
CREATE FUNCTION create_mailbox(
    p_tenant bigint, p_quota bigint, p_quota_is_final boolean,
    p_roles smallint[], p_parents bigint[], p_names text[], p_classes text[], p_uid_validity bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_mailbox bigint := nextval('mailbox_id');
BEGIN
    INSERT INTO mailbox (mailbox_id, tenant_id, store_guid, replica_guid, quota, quota_is_final)
        VALUES (v_mailbox, p_tenant, gen_random_uuid(), gen_random_uuid(), p_quota, p_quota_is_final);
    INSERT INTO folder (mailbox_id, folder_id, parent_id, name, role, container_class, uid_validity, cn, highest_cn)
        SELECT v_mailbox, r, p, n, r, c, p_uid_validity, 1, 1
        FROM unnest(p_roles, p_parents, p_names, p_classes) AS f(r, p, n, c);
    RETURN v_mailbox;
END $$;

-- Stores new messages, each with its content, in the order given; callers sort by mailbox, so that two batches
-- lock mailboxes in the same order. Content i of the content arrays belongs to the items that name it.
-- An item with a hierarchy_cn is stored only when the folder tree has not changed since.
-- Status: 1 stored, 2 over quota, 3 no such mailbox or folder, 4 the folder tree changed.
CREATE FUNCTION store_messages(
    p_mailbox bigint[], p_folder bigint[], p_hierarchy bigint[], p_flags bigint[], p_received bigint[], p_content integer[],
    p_retry boolean,
    c_id uuid[], c_thread uuid[], c_size bigint[], c_header_size bigint[], c_sent bigint[], c_importance smallint[],
    c_attachment boolean[], c_codec smallint[], c_class text[], c_subject text[], c_sender text[],
    c_display_to text[], c_internet_id text[], c_topic text[], c_preview text[], c_view bytea[],
    c_search_headers text[], c_blob bytea[], c_header bytea[], c_body bytea[], c_search_body text[]
) RETURNS TABLE (r_status smallint, r_folder bigint, r_uid bigint, r_cn bigint, r_message bigint, r_validity bigint)
LANGUAGE plpgsql AS $$
DECLARE
    i integer;
    k integer;
    v_folder bigint;
BEGIN
    FOR i IN 1 .. cardinality(p_mailbox) LOOP
        k := p_content[i];
        r_uid := NULL;
        IF p_retry THEN
            PERFORM 1 FROM mailbox WHERE mailbox_id = p_mailbox[i] FOR UPDATE;
            SELECT 1::smallint, m.folder_id, m.uid, m.cn, m.message_id, f.uid_validity
                INTO r_status, r_folder, r_uid, r_cn, r_message, r_validity
                FROM message m JOIN folder f USING (mailbox_id, folder_id)
                WHERE m.mailbox_id = p_mailbox[i] AND m.content_id = c_id[k] ORDER BY m.cn LIMIT 1;
            IF FOUND THEN
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        UPDATE mailbox SET cn = cn + 1, next_id = next_id + 1, used = used + c_size[k], messages = messages + 1
            WHERE mailbox_id = p_mailbox[i] AND deleted_at IS NULL AND (quota = 0 OR used + c_size[k] <= quota)
                AND p_hierarchy[i] IN (0, hierarchy_cn)
            RETURNING cn, next_id - 1 INTO r_cn, r_message;
        IF NOT FOUND THEN
            r_status := coalesce((SELECT CASE WHEN p_hierarchy[i] IN (0, hierarchy_cn) THEN 2 ELSE 4 END FROM mailbox
                WHERE mailbox_id = p_mailbox[i] AND deleted_at IS NULL), 3);
            RETURN NEXT;
            CONTINUE;
        END IF;
        UPDATE folder SET uid_next = uid_next + 1, highest_cn = r_cn, total = total + 1,
                unseen = unseen + (1 - (p_flags[i] & 1)), deleted = deleted + ((p_flags[i] >> 3) & 1),
                size = size + c_size[k]
            WHERE mailbox_id = p_mailbox[i] AND folder_id = p_folder[i] AND deleted_at IS NULL
            RETURNING folder_id, uid_next - 1, uid_validity INTO r_folder, r_uid, r_validity;
        IF NOT FOUND THEN
            UPDATE mailbox SET used = used - c_size[k], messages = messages - 1 WHERE mailbox_id = p_mailbox[i];
            r_status := 3;
            RETURN NEXT;
            CONTINUE;
        END IF;
        INSERT INTO message (mailbox_id, folder_id, uid, message_id, content_id, flags, cn, state_cn, size, received_at)
            VALUES (p_mailbox[i], r_folder, r_uid, r_message, c_id[k], p_flags[i], r_cn, r_cn, c_size[k], p_received[i]);
        INSERT INTO content (mailbox_id, content_id, thread_id, size, header_size, sent_at, importance, has_attachment,
                body_codec, class, subject, sender, display_to, internet_id, topic, preview, view, search_headers,
                blob_hash, header, body, search_body)
            VALUES (p_mailbox[i], c_id[k], c_thread[k], c_size[k], c_header_size[k], c_sent[k], c_importance[k],
                c_attachment[k], c_codec[k], c_class[k], c_subject[k], c_sender[k], c_display_to[k], c_internet_id[k],
                c_topic[k], c_preview[k], c_view[k], c_search_headers[k], c_blob[k], c_header[k], c_body[k],
                c_search_body[k]);
        r_status := 1;
        RETURN NEXT;
    END LOOP;
END $$;

-- Writes one change of a folder's state, computed by the caller from the folder as it was at `p_expected`; refused
-- with KS001 when the folder has moved on since.
CREATE FUNCTION log_change(
    p_mailbox bigint, p_folder bigint, p_expected bigint, p_kind smallint, p_payload bytea, p_at bigint,
    d_total bigint, d_unseen bigint, d_deleted bigint, d_size bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_cn bigint;
BEGIN
    UPDATE mailbox SET cn = cn + 1, used = used + d_size, messages = messages + d_total
        WHERE mailbox_id = p_mailbox AND deleted_at IS NULL RETURNING cn INTO v_cn;
    UPDATE folder SET highest_cn = v_cn, total = total + d_total, unseen = unseen + d_unseen,
            deleted = deleted + d_deleted, size = size + d_size
        WHERE mailbox_id = p_mailbox AND folder_id = p_folder AND highest_cn = p_expected AND deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the folder changed' USING ERRCODE = 'KS001';
    END IF;
    INSERT INTO change_log (mailbox_id, folder_id, cn, kind, payload, at)
        VALUES (p_mailbox, p_folder, v_cn, p_kind, p_payload, p_at);
    RETURN v_cn;
END $$;

-- Places copies of messages into a folder: parallel arrays in source UID order. Refused with KS002 over quota, KS003
-- without the folder. Between mailboxes the contents are copied too.
CREATE FUNCTION place_copies(
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
END $$;

-- Gives slots to keywords that have none. Refused with KS004 when there are too many.
CREATE FUNCTION add_keywords(p_mailbox bigint, p_names text[], p_most integer) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_keywords text[];
    v_name text;
BEGIN
    SELECT keywords INTO v_keywords FROM mailbox WHERE mailbox_id = p_mailbox FOR UPDATE;
    FOREACH v_name IN ARRAY p_names LOOP
        IF NOT EXISTS (SELECT FROM unnest(v_keywords) k WHERE lower(k) = lower(v_name)) THEN
            v_keywords := v_keywords || v_name;
        END IF;
    END LOOP;
    IF cardinality(v_keywords) > p_most THEN
        RAISE EXCEPTION 'too many keywords' USING ERRCODE = 'KS004';
    END IF;
    UPDATE mailbox SET keywords = v_keywords WHERE mailbox_id = p_mailbox AND keywords <> v_keywords;
    RETURN v_keywords;
END $$;
