//! `Mailbox` (`mbx`): a person's mailbox, or one that people share.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MailAddress, Reference, SecretKeyReference, Size};

/// A person's mailbox, or one that people share. What is set here is enforced; what is unset is not managed.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "kontor.dev",
    version = "v1alpha1",
    kind = "Mailbox",
    plural = "mailboxes",
    namespaced,
    shortname = "mbx",
    category = "groupware",
    status = "MailboxStatus",
    derive = "PartialEq",
    doc = "A person's mailbox, or one that people share. What is set here is enforced; what is unset is not managed.",
    cel,
    printcolumn = r#"{"name":"Address","type":"string","jsonPath":".spec.primaryAddress"}"#,
    printcolumn = r#"{"name":"Type","type":"string","jsonPath":".spec.type"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].status","description":"Whether the directory holds what this says."}"#,
    printcolumn = r#"{"name":"Used","type":"integer","format":"int64","jsonPath":".status.usage.bytes","description":"Octets in the mailbox."}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name":"Message","type":"string","priority":1,"jsonPath":".status.conditions[?(@.type=='Ready')].message"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    selectable = ".spec.primaryAddress"
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.primaryAddress == oldSelf.primaryAddress || (has(self.aliases) && oldSelf.primaryAddress in self.aliases)",
        "a renamed mailbox keeps its old address: add it to aliases"
    ),
    validation = (
        "!has(self.aliases) || !(self.primaryAddress in self.aliases)",
        "aliases: the primary address is not one of them"
    ),
    validation = ("self.type == 'User' || !has(self.credentials)", "credentials: nobody logs in to a shared mailbox")
)]
pub struct MailboxSpec {
    /// The MailDomain of the primary address. It cannot be changed. A domain in another namespace must belong to a
    /// Tenant that admits this namespace.
    #[x_kube(validation = ("self == oldSelf", "domainRef cannot be changed: add an alias in the other domain, or make a new mailbox"))]
    pub domain_ref: Reference,

    /// `User`: somebody's own. `Shared`: for several people, nobody logs in to it. Default: User.
    #[serde(default, rename = "type")]
    pub type_: MailboxType,

    /// The address that the mailbox sends from and is logged in to, in the domain of `domainRef`. When it changes, the
    /// mailbox keeps its content, and the old address must stay among `aliases`.
    pub primary_address: MailAddress,

    /// Further addresses that it receives for, in domains of the same tenant. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200), extend("x-kubernetes-list-type" = "set"))]
    pub aliases: Option<Vec<MailAddress>>,

    /// Name for people. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,

    /// Whether its owner can log in. When it becomes false, sessions end; mail still arrives. Unset: not managed, and
    /// true for a new mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,

    /// Where the password is. A change of the Secret takes effect at once and ends sessions. Unset: passwords are not
    /// managed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,

    /// Which protocols the mailbox may be used by. Unset: not managed, and all of them for a new mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocols: Option<Protocols>,

    /// How much it may hold. Unset: the tenant's `defaultQuota`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<MailboxQuota>,

    /// What others may do with it. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,

    /// Where copies of its mail go. Unset: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,

    /// Whether address books leave it out. Unset: not managed, and false for a new mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden_from_address_lists: Option<bool>,

    /// What becomes of the mailbox when this resource is deleted. Default: Retain.
    #[serde(default)]
    pub reclaim_policy: MailboxReclaimPolicy,
}

/// Kind of mailbox.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum MailboxType {
    /// Somebody's own.
    #[default]
    User,
    /// For several people.
    Shared,
}

/// Where the password is. Exactly one of the two.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "[has(self.passwordSecretRef), has(self.passwordHashSecretRef)].filter(x, x).size() == 1",
        "credentials: exactly one of passwordSecretRef and passwordHashSecretRef"
    )
)]
pub struct Credentials {
    /// A Secret with the password itself. The directory keeps an Argon2id hash of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyReference>,

    /// A Secret with an Argon2id hash as a PHC string (`$argon2id$v=19$…`), when you do not want the password in the
    /// cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_hash_secret_ref: Option<SecretKeyReference>,
}

/// Which protocols a mailbox may be used by. A protocol that is unset is enabled.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Protocols {
    /// Reading by IMAP. Default: Enabled.
    #[serde(default)]
    pub imap: Switch,

    /// Reading by POP3. Default: Enabled.
    #[serde(default)]
    pub pop3: Switch,

    /// Sending by SMTP submission. Default: Enabled.
    #[serde(default)]
    pub submission: Switch,

    /// Calendars, tasks and contacts by CalDAV and CardDAV. Default: Enabled.
    #[serde(default)]
    pub dav: Switch,
}

/// Whether something may be used.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum Switch {
    /// It may.
    #[default]
    Enabled,
    /// It may not: logins fail as with a wrong password.
    Disabled,
}

/// How much a mailbox may hold, in the words of Exchange.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "!has(self.issueWarning) || !has(self.prohibitSendReceive) || quantity(self.issueWarning).compareTo(quantity(self.prohibitSendReceive)) <= 0",
        "quota: issueWarning is not above prohibitSendReceive"
    )
)]
pub struct MailboxQuota {
    /// Above this, condition `QuotaExceeded` says so. Unset: no warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_warning: Option<Size>,

    /// Above this, mail for it is refused and nothing can be stored. Unset: the tenant's `defaultQuota`. `0`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prohibit_send_receive: Option<Size>,
}

/// What others may do with a mailbox.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Delegation {
    /// People of the same tenant, by primary address, who may send with an address of this mailbox.
    #[serde(default)]
    #[schemars(length(max = 1000), extend("x-kubernetes-list-type" = "set"))]
    pub send_as: Vec<MailAddress>,
}

/// Where copies of the mail go.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Forwarding {
    /// Addresses, here or elsewhere.
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "set"))]
    pub smtp_addresses: Vec<MailAddress>,

    /// Whether the mailbox keeps the mail too. Default: true.
    #[serde(default = "crate::groupware_deployment::yes")]
    pub deliver_to_mailbox: bool,
}

/// What becomes of a mailbox when its resource is deleted.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "self.type == 'SoftDelete' || !has(self.retentionDays)",
        "reclaimPolicy: retentionDays goes with type: SoftDelete"
    )
)]
pub struct MailboxReclaimPolicy {
    /// `Retain` (default): the mailbox stays as it is and goes on working; no resource owns it any more. `SoftDelete`:
    /// the account and its addresses go, the content stays for `retentionDays`. `Delete`: the content goes at the next
    /// sweep.
    #[serde(default, rename = "type")]
    pub type_: MailboxReclaim,

    /// Days that the content stays after a SoftDelete. Unset: as long as the store keeps deleted messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: Option<u32>,
}

/// What becomes of a mailbox.
#[derive(JsonSchema, Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum MailboxReclaim {
    /// It stays.
    #[default]
    Retain,
    /// The account goes, its content later.
    SoftDelete,
    /// All of it goes.
    Delete,
}

/// What the operator says of a mailbox.
#[derive(KubeSchema, Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MailboxStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// What holds: Ready sums up Accepted, Provisioned and CredentialsReady. QuotaExceeded and Drifted are bad when True.
    /// Each of them has a reason to act on and a message that says how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// Number of the mailbox in the store, as the `kontor` command shows it. It stays when the mailbox is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox_id: Option<u64>,

    /// The primary address that the directory has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// What it holds, looked at every few minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<MailboxUsage>,

    /// `<uid>/<resourceVersion>` of the Secret whose password is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_resource_version: Option<String>,
}

/// What a mailbox holds. It is written when it has changed by more than one part in a hundred.
#[derive(KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MailboxUsage {
    /// Octets.
    pub bytes: u64,

    /// Messages.
    pub items: u64,

    /// When this was so.
    pub as_of: Time,
}
